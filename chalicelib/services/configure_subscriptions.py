"""Subscriptions: where status changes are sent, and the secrets that sign them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.contracts.publisher import Publisher
from chalicelib.contracts.store import Page
from chalicelib.domain.configuration import SigningSecret, Subscription
from chalicelib.domain.errors import Conflict, Invalid, NotFound, Pointer
from chalicelib.services.audit import Actor
from chalicelib.services.change import SUBSCRIPTIONS, insert, read, update
from chalicelib.services.kinds import SUBSCRIPTION, subscription_key
from chalicelib.services.ports import Ports
from chalicelib.services.seal_settings import Place, Sealed, seal_settings
from chalicelib.services.secrets import context_of
from chalicelib.services.signing_keys import new_signing_key
from chalicelib.services.target import signing_field

SIGNING_SECRETS_MAX = 2
_PAYMENT_EVENTS = (
    "pending authorized partially_captured captured partially_refunded refunded cancelled failed expired unknown "
    "disputed dispute_closed review_required"
)
EVENT_TYPES = (
    *(f"payment.{name}" for name in _PAYMENT_EVENTS.split()),
    "operation.succeeded",
    "operation.failed",
    "route.guardrail_breached",
    "subscription.disabled",
    "test",
)
EVENT_PATTERNS = frozenset({"*", *EVENT_TYPES, *(f"{one.partition('.')[0]}.*" for one in EVENT_TYPES if "." in one)})

EventPatterns = Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=40)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class SubscriptionBody(BaseModel):
    """A subscription to create."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    name: Name
    channel: str = Field(min_length=1, max_length=40)
    """How events are sent: `webhook`, `sqs`, `kafka`, `rabbitmq`, `pubsub` or `servicebus`."""
    target: dict[str, Any]
    """Where to; each channel has its own fields, `url` and `headers` for a webhook."""
    events: EventPatterns
    """Event types such as `payment.captured`, groups such as `payment.*`, or `*`."""
    enabled: bool = True


class SubscriptionChange(BaseModel):
    """A subscription to replace. What a read shows may be sent back whole: read-only fields are ignored."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    name: Name | None = None
    """Left out, it stays; so do the others."""
    channel: str | None = None
    """Never changes."""
    target: dict[str, Any] | None = None
    """All of the target; `********` keeps a stored secret."""
    events: EventPatterns | None = None
    enabled: bool | None = None
    id: str | None = None
    """Never changes."""
    secrets: list[dict[str, str]] | None = None
    """Read-only; secrets have operations of their own."""
    version: int | None = None
    """Read-only; the header If-Match counts."""
    created_at: str | None = None
    """Read-only."""
    updated_at: str | None = None
    """Read-only."""


@runtime_checkable
class Objecting(Protocol):
    """A publisher that knows more about a target than its schema says, such as which schemes it may have."""

    def objection(self, settings: BaseModel) -> Pointer | None: ...


def create_subscription(
    ports: Ports, actor: Actor, merchant_id: str, body: SubscriptionBody
) -> tuple[Subscription, str | None]:
    """The subscription and the signing secret, which is never shown again; None where the channel does not sign, or signs so
    that subscribers need the public key alone. Raises Invalid."""
    publisher = _publisher_of(ports, body.channel)
    subscription_id = "sub_" + secrets.token_hex(12)
    sealed = _sealed_target(ports, publisher, body.target, Place(merchant_id, subscription_id, "/target"))
    now = ports.clock.now()
    subscription = Subscription(
        merchant_id=merchant_id,
        id=subscription_id,
        name=body.name,
        channel=body.channel,
        target=sealed.public,
        secrets=sealed.secrets,
        events=_events_of(body.events),
        enabled=body.enabled,
        version=1,
        created_at=now,
        updated_at=now,
    )
    secret = None
    if publisher.signs:
        signing, secret = _new_secret(ports, subscription)
        subscription = replace(subscription, signing=(signing,))
    return insert(ports, SUBSCRIPTIONS, subscription, actor), secret


def read_subscription(ports: Ports, merchant_id: str, subscription_id: str) -> Subscription:
    return read(ports, SUBSCRIPTIONS, subscription_key(merchant_id, subscription_id)).value


def list_subscriptions(ports: Ports, merchant_id: str, *, after: str | None, limit: int) -> Page[Subscription]:
    return ports.store.find(SUBSCRIPTION, "by_merchant", merchant_id, after=after, limit=limit)


def update_subscription(
    ports: Ports, actor: Actor, merchant_id: str, subscription_id: str, body: SubscriptionChange, expected: int
) -> Subscription:
    """Raises NotFound, PreconditionFailed, Invalid."""

    def decide(present: Subscription) -> Subscription:
        if body.id not in (None, present.id):
            raise _invalid("/id", "a subscription's id never changes")
        if body.channel not in (None, present.channel):
            raise _invalid("/channel", "a subscription's channel never changes; make another subscription")
        changed = replace(
            present,
            name=present.name if body.name is None else body.name,
            events=present.events if body.events is None else _events_of(body.events),
            enabled=present.enabled if body.enabled is None else body.enabled,
        )
        if body.target is None:
            return changed
        place = Place(merchant_id, subscription_id, "/target", present.secrets)
        sealed = _sealed_target(ports, _publisher_of(ports, present.channel), body.target, place)
        return replace(changed, target=sealed.public, secrets=sealed.secrets)

    return update(ports, SUBSCRIPTIONS, subscription_key(merchant_id, subscription_id), expected, decide, actor)


def delete_subscription(ports: Ports, actor: Actor, merchant_id: str, subscription_id: str, expected: int) -> None:
    """Raises NotFound, PreconditionFailed. Its secrets are forgotten: nothing is sent there again."""
    key, now = subscription_key(merchant_id, subscription_id), ports.clock.now()
    update(
        ports,
        SUBSCRIPTIONS,
        key,
        expected,
        lambda present: replace(present, enabled=False, deleted_at=now, secrets={}, signing=()),
        actor,
        "delete",
    )


def add_signing_secret(
    ports: Ports, actor: Actor, merchant_id: str, subscription_id: str
) -> tuple[SigningSecret, str | None]:
    """A second secret for a rotation, of the kind that the target now says, and its text as `create_subscription` tells it.

    Raises NotFound, Conflict.
    """
    signing, secret = _new_secret(ports, read_subscription(ports, merchant_id, subscription_id))

    def decide(present: Subscription) -> Subscription:
        if not _publisher_of(ports, present.channel).signs:
            raise Conflict(f"The channel {present.channel} does not sign what it sends.")
        if len(present.signing) >= SIGNING_SECRETS_MAX:
            raise Conflict(f"There are {SIGNING_SECRETS_MAX} signing secrets; end one before you add another.")
        return replace(present, signing=(*present.signing, signing))

    update(ports, SUBSCRIPTIONS, subscription_key(merchant_id, subscription_id), None, decide, actor, "add_secret")
    return signing, secret


def end_signing_secret(ports: Ports, actor: Actor, merchant_id: str, subscription_id: str, secret_id: str) -> None:
    """Raises NotFound, Conflict for the last one."""

    def decide(present: Subscription) -> Subscription:
        left = tuple(one for one in present.signing if one.id != secret_id)
        if len(left) == len(present.signing):
            raise NotFound("There is no such signing secret.")
        if not left:
            raise Conflict("This is the last signing secret; add another one before you end it.")
        return replace(present, signing=left)

    update(ports, SUBSCRIPTIONS, subscription_key(merchant_id, subscription_id), None, decide, actor, "end_secret")


def _new_secret(ports: Ports, of: Subscription) -> tuple[SigningSecret, str | None]:
    """And its text, where the subscriber needs that."""
    key = new_signing_key(of.target.get("signature", "hmac"))
    secret_id = "sec_" + secrets.token_hex(8)
    sealed = ports.vault.seal(key.secret, context=context_of(of.merchant_id, of.id, signing_field(secret_id)))
    signing = SigningSecret(secret_id, sealed, ports.clock.now(), key.public)
    return signing, key.secret if key.public is None else None


def _publisher_of(ports: Ports, channel: str) -> Publisher:
    publisher = ports.publishers.get(channel)
    if publisher is None:
        known = ", ".join(sorted(ports.publishers))
        raise _invalid("/channel", f"the channel {channel!r} is not offered here; there are: {known}")
    return publisher


def _sealed_target(ports: Ports, publisher: Publisher, given: Mapping[str, Any], place: Place) -> Sealed:
    sealed = seal_settings(ports.vault, publisher.settings, given, place)
    objection = publisher.objection(sealed.model) if isinstance(publisher, Objecting) else None
    if objection is not None:
        raise _invalid(place.pointer + objection.pointer, objection.detail)
    return sealed


def _events_of(patterns: list[str]) -> tuple[str, ...]:
    errors = tuple(
        Pointer(f"/events/{position}", f"there is no event type {pattern!r}")
        for position, pattern in enumerate(patterns)
        if pattern not in EVENT_PATTERNS
    )
    if errors:
        raise Invalid(f"{errors[0].pointer}: {errors[0].detail}", errors)
    return tuple(dict.fromkeys(patterns))


def _invalid(pointer: str, detail: str) -> Invalid:
    return Invalid(f"{pointer}: {detail}", (Pointer(pointer, detail),))
