"""Subscriptions: checked targets, known events, and signing secrets that are shown once."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel

from chalicelib.domain.errors import Conflict, Invalid, NotFound, Pointer, PreconditionFailed
from chalicelib.publishers.signatures import signature_of
from chalicelib.publishers.webhook import WebhookPublisher
from chalicelib.services.check_subscription import check_subscription
from chalicelib.services.configuration import Configuration
from chalicelib.services.configure_subscriptions import (
    EVENT_TYPES,
    SubscriptionChange,
    add_signing_secret,
    create_subscription,
    delete_subscription,
    end_signing_secret,
    list_subscriptions,
    read_subscription,
    update_subscription,
)
from chalicelib.services.configured_view import subscription_view
from chalicelib.services.ports import Ports
from tests.publishers.client_certificates import Authority, pem_of
from tests.services.configured import ACTOR, SHOP, answering, ports_at, subscription_body


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    return ports_at(tmp_path)


def created(ports: Ports, **more: Any) -> tuple[str, str]:
    """The subscription's id and its signing secret."""
    made, secret = create_subscription(ports, ACTOR, SHOP, subscription_body(**more))
    assert secret is not None
    return made.id, secret


def change(**fields: object) -> SubscriptionChange:
    return SubscriptionChange.model_validate(fields)


def test_a_webhook_subscription_answers_with_a_standard_signing_secret(ports: Ports) -> None:
    _, secret = created(ports)
    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret[6:], validate=True)) <= 64


def test_a_signing_secret_is_never_shown_or_stored_in_clear(ports: Ports) -> None:
    id, secret = created(ports)
    found = read_subscription(ports, SHOP, id)
    assert secret not in repr((found, subscription_view(found)))


def test_a_subscription_shows_which_secrets_it_has(ports: Ports) -> None:
    id, _ = created(ports)
    shown = subscription_view(read_subscription(ports, SHOP, id))
    assert [sorted(one) for one in shown["secrets"]] == [["created_at", "id"]]


@pytest.mark.parametrize("pattern", ["*", "payment.*", "operation.*", *EVENT_TYPES])
def test_known_events_can_be_subscribed_to(ports: Ports, pattern: str) -> None:
    id, _ = created(ports, events=[pattern])
    assert read_subscription(ports, SHOP, id).events == (pattern,)


@pytest.mark.parametrize("pattern", ["payment", "payment.paid", "pay*", ".*", "*.captured", ""])
def test_unknown_events_are_refused_where_they_stand(ports: Ports, pattern: str) -> None:
    with pytest.raises(Invalid) as refused:
        created(ports, events=["payment.*", pattern])
    assert refused.value.errors[0].pointer == "/events/1"


def test_a_channel_that_is_not_offered_is_refused_in_words(ports: Ports) -> None:
    with pytest.raises(Invalid, match=r"there are: .*webhook") as refused:
        created(ports, channel="pigeon")
    assert refused.value.errors[0].pointer == "/channel"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/",
        "shop.example",
        "https://user:secret@shop.example/",
        "https://",
        "https://shop..example/",
        f"https://{'a' * 64}.example/",
        "https://shop.example:99999/",
        "https://shop.example:0/",
        "https://shop.example:http/",
    ],
)
def test_a_target_is_a_plain_address(ports: Ports, url: str) -> None:
    with pytest.raises(Invalid) as refused:
        created(ports, url=url)
    assert refused.value.errors[0].pointer == "/target/url"


class Picky(WebhookPublisher):
    def objection(self, settings: BaseModel) -> Pointer:
        return Pointer("/url", "must be https")


def test_a_publisher_may_object_to_a_target(ports: Ports) -> None:
    with pytest.raises(Invalid, match="/target/url: must be https"):
        created(replace(ports, publishers={"webhook": Picky()}))


def test_notification_sees_enabled_subscriptions_alone(ports: Ports) -> None:
    id, _ = created(ports)
    created(ports, enabled=False)
    assert [one.id for one in Configuration(ports).subscriptions(SHOP)] == [id]


def test_what_was_read_can_be_sent_back_whole(ports: Ports) -> None:
    id, _ = created(ports)
    shown = subscription_view(read_subscription(ports, SHOP, id))
    again = update_subscription(ports, ACTOR, SHOP, id, change(**shown), 1)
    assert subscription_view(again) == {**shown, "version": 2}


def test_a_change_leaves_the_rest_alone(ports: Ports) -> None:
    id, _ = created(ports)
    again = update_subscription(ports, ACTOR, SHOP, id, change(events=["*"]), 1)
    assert (again.events, again.name, again.enabled, len(again.signing)) == (("*",), "Orders", True, 1)


@pytest.mark.parametrize(("fields", "pointer"), [({"id": "sub_x"}, "/id"), ({"channel": "sqs"}, "/channel")])
def test_id_and_channel_never_change(ports: Ports, fields: dict[str, str], pointer: str) -> None:
    id, _ = created(ports)
    with pytest.raises(Invalid) as refused:
        update_subscription(ports, ACTOR, SHOP, id, change(**fields), 1)
    assert refused.value.errors[0].pointer == pointer


def test_a_stale_version_changes_nothing(ports: Ports) -> None:
    id, _ = created(ports)
    add_signing_secret(ports, ACTOR, SHOP, id)
    with pytest.raises(PreconditionFailed):
        delete_subscription(ports, ACTOR, SHOP, id, 1)


def test_a_deleted_subscription_is_gone_with_its_secrets(ports: Ports) -> None:
    id, _ = created(ports)
    delete_subscription(ports, ACTOR, SHOP, id, 1)
    assert not list_subscriptions(ports, SHOP, after=None, limit=50).items
    with pytest.raises(NotFound):
        read_subscription(ports, SHOP, id)


def test_another_merchant_accounts_subscription_is_not_found(ports: Ports) -> None:
    id, _ = created(ports)
    with pytest.raises(NotFound):
        read_subscription(ports, "other", id)


def test_two_signing_secrets_may_be_live(ports: Ports) -> None:
    id, _ = created(ports)
    add_signing_secret(ports, ACTOR, SHOP, id)
    with pytest.raises(Conflict):
        add_signing_secret(ports, ACTOR, SHOP, id)


def test_the_first_signing_secret_can_be_ended_once_there_is_a_second(ports: Ports) -> None:
    id, _ = created(ports)
    first = read_subscription(ports, SHOP, id).signing[0].id
    second, _ = add_signing_secret(ports, ACTOR, SHOP, id)
    end_signing_secret(ports, ACTOR, SHOP, id, first)
    assert [one.id for one in read_subscription(ports, SHOP, id).signing] == [second.id]


def test_the_last_signing_secret_stays(ports: Ports) -> None:
    id, _ = created(ports)
    with pytest.raises(Conflict):
        end_signing_secret(ports, ACTOR, SHOP, id, read_subscription(ports, SHOP, id).signing[0].id)


def test_an_unknown_signing_secret_is_not_found(ports: Ports) -> None:
    id, _ = created(ports)
    with pytest.raises(NotFound):
        end_signing_secret(ports, ACTOR, SHOP, id, "sec_nobody")


def test_a_test_event_is_signed_with_every_live_secret_the_newest_first(ports: Ports) -> None:
    with answering(204) as (url, taken):
        id, first = created(ports, url=url)
        _, second = add_signing_secret(ports, ACTOR, SHOP, id)
        found = check_subscription(ports, SHOP, id)
    headers, body = taken[0]
    signed = [
        signature_of(one, headers["webhook-id"], int(headers["webhook-timestamp"]), body) for one in (second, first)
    ]
    assert (found.ok, found.status, headers["webhook-signature"].split()) == (True, 204, signed)


def ed25519(url: str) -> dict[str, Any]:
    return {"target": {"url": url, "signature": "ed25519"}}


def test_with_ed25519_the_public_key_is_shown_and_the_private_one_never(ports: Ports) -> None:
    made, secret = create_subscription(ports, ACTOR, SHOP, subscription_body(**ed25519("http://127.0.0.1:9/")))
    (signing,) = made.signing
    private = ports.vault.open(signing.sealed, context=f"{SHOP}/{made.id}/signing/{signing.id}")
    assert (secret, private[:5]) == (None, "whsk_")
    shown = subscription_view(read_subscription(ports, SHOP, made.id))
    assert shown["secrets"] == [{"id": signing.id, "created_at": shown["created_at"], "public_key": signing.public_key}]
    assert private not in repr((made, shown))


def test_with_ed25519_two_keys_may_be_live_and_each_verifies(ports: Ports) -> None:
    with answering(204) as (url, taken):
        made, _ = create_subscription(ports, ACTOR, SHOP, subscription_body(**ed25519(url)))
        signing, secret = add_signing_secret(ports, ACTOR, SHOP, made.id)
        check_subscription(ports, SHOP, made.id)
    headers, body = taken[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    for one, signature in zip((signing, *made.signing), headers["webhook-signature"].split(), strict=True):
        assert one.public_key is not None
        verifier = Ed25519PublicKey.from_public_bytes(base64.b64decode(one.public_key.removeprefix("whpk_")))
        verifier.verify(base64.b64decode(signature.removeprefix("v1a,")), signed)
    assert secret is None


def test_a_subscription_can_go_over_to_ed25519_by_a_rotation(ports: Ports) -> None:
    with answering(204) as (url, taken):
        id, first = created(ports, url=url)
        update_subscription(ports, ACTOR, SHOP, id, change(**ed25519(url)), 1)
        signing, _ = add_signing_secret(ports, ACTOR, SHOP, id)
        check_subscription(ports, SHOP, id)
    headers, body = taken[0]
    by_hmac = signature_of(first, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    newer, older = headers["webhook-signature"].split()
    assert (newer[:4], older, signing.public_key is None) == ("v1a,", by_hmac, False)


def test_a_subscription_with_a_public_key_can_be_sent_back_whole(ports: Ports) -> None:
    made, _ = create_subscription(ports, ACTOR, SHOP, subscription_body(**ed25519("http://127.0.0.1:9/")))
    shown = subscription_view(made)
    again = update_subscription(ports, ACTOR, SHOP, made.id, change(**shown), 1)
    assert subscription_view(again) == {**shown, "version": 2}


KEY = ec.generate_private_key(ec.SECP256R1())
MUTUAL = {
    "url": "https://127.0.0.1:9/",
    "client_certificate": Authority().client("shop", KEY),
    "client_key": pem_of(KEY),
}


def test_a_client_key_is_kept_secret_and_its_certificate_shown(ports: Ports) -> None:
    id, _ = created(ports, target=MUTUAL)
    found = read_subscription(ports, SHOP, id)
    shown = subscription_view(found)["target"]
    assert (shown["client_certificate"], shown["client_key"]) == (MUTUAL["client_certificate"], "********")
    assert "PRIVATE KEY" not in repr(found)


def test_a_client_key_sent_back_as_the_mask_is_still_checked_against_its_certificate(ports: Ports) -> None:
    id, _ = created(ports, target=MUTUAL)
    masked = {**MUTUAL, "client_key": "********"}
    update_subscription(ports, ACTOR, SHOP, id, change(target=masked), 1)
    other = {**masked, "client_certificate": Authority().client("other", ec.generate_private_key(ec.SECP256R1()))}
    with pytest.raises(Invalid, match="is not the key of") as refused:
        update_subscription(ports, ACTOR, SHOP, id, change(target=other), 2)
    assert refused.value.errors[0].pointer == "/target/client_key"


def test_how_many_deliveries_run_side_by_side_is_stored_where_notification_reads_it(ports: Ports) -> None:
    target = {"url": "http://127.0.0.1:9/", "concurrency": 7}
    made, _ = create_subscription(ports, ACTOR, SHOP, subscription_body(target=target))
    assert made.target["concurrency"] == 7


def test_a_signature_that_is_not_offered_is_refused_where_it_stands(ports: Ports) -> None:
    with pytest.raises(Invalid) as refused:
        created(ports, target={"url": "http://127.0.0.1:9/", "signature": "rsa"})
    assert refused.value.errors[0].pointer == "/target/signature"


def test_a_test_event_has_no_sequence_and_no_payment(ports: Ports) -> None:
    with answering(200) as (url, taken):
        id, _ = created(ports, url=url)
        check_subscription(ports, SHOP, id)
    event = json.loads(taken[0][1])
    assert (event["type"], "sequence" in event, "payment" in event["data"]) == ("test", False, False)


def test_a_failed_test_says_what_the_target_answered(ports: Ports) -> None:
    with answering(500) as (url, _):
        id, _ = created(ports, url=url)
        found = check_subscription(ports, SHOP, id)
    assert (found.ok, found.status, found.detail) == (False, 500, "the target answered 500")


def test_a_target_that_may_not_be_dialled_is_refused_at_once(ports: Ports) -> None:
    with pytest.raises(Invalid, match="/target/url"):
        created(ports, url="https://169.254.169.254/")
