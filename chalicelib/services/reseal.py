"""Seals stored secrets again with the vault's newest key.

The audit chains name every object that was ever made, deleted ones too, whose credentials stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pydantic import BaseModel

from chalicelib.contracts.store import Store, Stored
from chalicelib.domain.configuration import Connection, SigningSecret, Subscription
from chalicelib.domain.errors import NotFound, StaleVersion
from chalicelib.services.audit import INSTALLATION, Actor, Change, append, draft_of, entries_of, merchants_of
from chalicelib.services.change import CONNECTIONS, SUBSCRIPTIONS, TRIES, Noun, O, put_audited, sweep_audit
from chalicelib.services.kinds import connection_key, subscription_key
from chalicelib.services.ports import Ports
from chalicelib.services.secrets import context_of, use_of
from chalicelib.services.target import signing_field


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many objects were looked at, and how many secrets were sealed again."""

    objects: int
    secrets: int


def reseal_all(ports: Ports, actor: Actor, key_id: str) -> Resealed:
    """Seals again whatever the newest key, `key_id`, did not seal. Safe to run twice and beside other changes.

    The objects' versions stay: operators see no change. Raises VaultFault for a secret that no key opens.
    """
    sweep_audit(ports, grace_s=0)  # an object whose creation is not in the chain yet would be missed
    rotation = Change("rotate", "vault_key", key_id, None, {"id": key_id})
    append(ports, INSTALLATION, draft_of(ports, actor, INSTALLATION, rotation))
    objects = secrets = 0
    for merchant_id in merchants_of(ports.store):
        for kind, object_id in _objects_of(ports.store, merchant_id):
            if kind == CONNECTIONS.name:
                secrets += _reseal(ports, actor, CONNECTIONS, connection_key(merchant_id, object_id))
            else:
                secrets += _reseal(ports, actor, SUBSCRIPTIONS, subscription_key(merchant_id, object_id))
            objects += 1
    return Resealed(objects, secrets)


@dataclass(frozen=True, slots=True)
class Lost:
    """An object with secrets that no key opens. What is `deleted` may be of use still, to refund what went there."""

    merchant_id: str
    kind: str
    id: str
    deleted: bool


def note_lost_ring(ports: Ports, actor: Actor, key_id: str) -> list[Lost]:
    """Notes in the audit log that the key `key_id` begins a new key ring, in place of one that is lost, and says what is lost
    with it."""
    begun = Change("create", "vault_key", key_id, None, {"id": key_id})
    append(ports, INSTALLATION, draft_of(ports, actor, INSTALLATION, begun))
    return [
        Lost(merchant_id, kind, object_id, found.deleted_at is not None)
        for merchant_id in merchants_of(ports.store)
        for kind, object_id in _objects_of(ports.store, merchant_id)
        if (found := _with_secrets(ports.store, merchant_id, kind, object_id))
    ]


def _with_secrets(store: Store, merchant_id: str, kind: str, object_id: str) -> Connection | Subscription | None:
    try:
        if kind == CONNECTIONS.name:
            connection = store.get(CONNECTIONS.kind, connection_key(merchant_id, object_id)).value
            return connection if connection.secrets else None
        subscription = store.get(SUBSCRIPTIONS.kind, subscription_key(merchant_id, object_id)).value
        return subscription if subscription.secrets or subscription.signing else None
    except NotFound:
        return None


def has_sealed(store: Store) -> bool:
    """Whether anybody ever stored an object that has secrets."""
    return any(True for merchant_id in merchants_of(store) for _ in _named(store, merchant_id))


def _objects_of(store: Store, merchant_id: str) -> list[tuple[str, str]]:
    """(kind, id) of every connection and subscription there ever was."""
    return list(dict.fromkeys(_named(store, merchant_id)))


def _named(store: Store, merchant_id: str) -> Iterator[tuple[str, str]]:
    for entry in entries_of(store, merchant_id):
        if entry.draft.object_kind in (CONNECTIONS.name, SUBSCRIPTIONS.name):
            yield entry.draft.object_kind, entry.draft.object_id


def _reseal(ports: Ports, actor: Actor, noun: Noun[O], key: str) -> int:
    """How many of one object's secrets were sealed again."""
    for _ in range(TRIES):
        try:
            stored: Stored[O] = ports.store.get(noun.kind, key)
        except NotFound:
            return 0
        changed, count = _resealed(ports, stored.value)
        if not count:
            return 0
        try:
            put_audited(ports, noun, stored, changed, actor, "reseal")
        except StaleVersion:
            continue
        return count
    raise StaleVersion(f"The {noun.name} {key} is changed by too many calls at once; run the rotation again.")


def _resealed(ports: Ports, value: O) -> tuple[O, int]:
    assert isinstance(value, (Connection, Subscription)), "routes hold no secrets"
    vault, model, count = ports.vault, _model_of(ports, value), 0

    def again(token: str, field: str) -> str:
        nonlocal count
        use = use_of(model, field)
        if vault.is_current(token, use=use):
            return token
        count += 1
        context = context_of(value.merchant_id, value.id, field)
        return vault.seal(vault.open(token, context=context), context=context, use=use)

    secrets = {place: again(token, place) for place, token in value.secrets.items()}
    value = replace(value, secrets=secrets)
    if isinstance(value, Subscription):
        signing: tuple[SigningSecret, ...] = tuple(
            replace(one, sealed=again(one.sealed, signing_field(one.id))) for one in value.signing
        )
        value = replace(value, signing=signing)
    return value, count


def _model_of(ports: Ports, value: Connection | Subscription) -> type[BaseModel]:
    """Which says what each secret is for. Of a connector that is off nothing is known, and no webhook is taken either: its
    secrets are kept as credentials until the next rotation with it on."""
    if isinstance(value, Subscription):
        return BaseModel
    connector = ports.connectors.get(value.connector)
    return BaseModel if connector is None else connector.settings
