"""Mollie's webhooks, from the door to the payment: an id that nobody signed, at an address that nobody can guess."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from chalicelib.contracts.queue import Topic
from chalicelib.domain.errors import SignatureInvalid
from chalicelib.domain.payment import Status
from chalicelib.services.apply import UNMATCHED_RETRY_AFTER_S
from chalicelib.services.looks import LOOK_EVERY_S
from tests.connectors.mollie.peer import EVENT_SECRET
from tests.connectors.mollie.shop import MollieShop


def tells(shop: MollieShop, id: str) -> None:
    """A signed event of the Dashboard's webhook, the same each time."""
    event = {"resource": "event", "id": "event_1", "type": "payment.paid", "entityId": id}
    body = json.dumps(event).encode()
    signature = hmac.new(EVENT_SECRET.encode(), body, hashlib.sha256).hexdigest()
    shop.world.intake.take("default", "mollie-nl", {"x-mollie-signature": signature}, body)


def called(shop: MollieShop, id: str, body: str = "") -> None:
    """The address that a payment gave."""
    query = urlsplit(shop.psp.payments[id]["webhookUrl"]).query
    shop.world.intake.take("default", "mollie-nl", {}, (body or f"id={id}").encode(), query=query)


def test_a_signed_event_tells_of_the_same(shop: MollieShop) -> None:
    payment = shop.open()
    shop.psp.pays(shop.reference(payment))
    tells(shop, shop.reference(payment))
    shop.world.settle()
    assert shop.status(payment) is Status.CAPTURED


def test_ten_thousand_replays_of_a_signed_event_are_a_few_looks(shop: MollieShop) -> None:
    """There is no time in its signature; and it may be of a payment that is nobody's of ours, with no address to hold it to."""
    foreign = "tr_MadeInAnotherShop"
    for _ in range(10):
        for _ in range(1_000):
            tells(shop, foreign)
        shop.world.clock.forward(2)
    shop.world.settle()
    shop.world.settle(LOOK_EVERY_S)
    asked = [line for line in shop.psp.asked if foreign in line]
    assert 1 <= len(asked) <= 4, "20 s of them: one each 10 s, and one at each end"


def test_the_last_event_of_a_payment_is_never_left_to_a_look_before_it(shop: MollieShop) -> None:
    payment = shop.open()
    tells(shop, shop.reference(payment))
    shop.world.settle()
    for _ in range(3):
        tells(shop, shop.reference(payment))
    shop.psp.pays(shop.reference(payment))
    tells(shop, shop.reference(payment))
    shop.world.settle(LOOK_EVERY_S)
    assert shop.status(payment) is Status.CAPTURED


@pytest.mark.parametrize("tell", [tells, called])
def test_a_payment_whose_creation_was_not_answered_is_settled_by_its_webhook(
    shop: MollieShop, tell: Callable[[MollieShop, str], None]
) -> None:
    """Long after Mollie forgot the key by which the call could be made again."""
    with shop.psp.silent("/v2/payments"):
        payment = shop.open(route="careful")
    shop.world.settle(7_200)
    (id,) = shop.psp.payments
    shop.psp.pays(id)
    tell(shop, id)
    shop.world.settle()
    assert (shop.status(payment), shop.reference(payment)) == (Status.CAPTURED, id)


def test_its_address_makes_no_other_payment_its(shop: MollieShop) -> None:
    paid = shop.paid(key="one")
    with shop.psp.silent("/v2/payments"):
        payment = shop.open(key="two", route="careful")
    shop.world.settle(7_200)
    called(shop, list(shop.psp.payments)[1], body=f"id={shop.reference(paid)}")
    shop.world.settle()
    assert (shop.status(payment), shop.now(payment).attempts[0].psp_reference) == (Status.EXPIRED, None)
    assert [status for status, _ in shop.inbox()] == ["failed"]


def test_what_a_call_claims_is_never_believed(shop: MollieShop) -> None:
    """Another payment's id in the body, at the address of one that is not paid: the address says which is read."""
    paid, other = shop.paid(key="one"), shop.open(key="two")
    url = urlsplit(shop.psp.payments[shop.reference(other)]["webhookUrl"])
    body = f"id={shop.reference(paid)}&status=paid".encode()
    shop.world.intake.take("default", "mollie-nl", {}, body, query=url.query)
    shop.world.settle()
    assert shop.status(other) is Status.PENDING


def test_ten_thousand_forged_ids_ask_mollie_nothing_and_queue_a_sample(shop: MollieShop) -> None:
    payment = shop.open()
    asked = len(shop.psp.asked)
    attempt_id = payment.attempts[0].id
    queries = ("", "attempt=", f"attempt={attempt_id}", f"attempt={attempt_id}.{'0' * 32}")
    for number in range(10_000):
        with pytest.raises(SignatureInvalid):
            shop.world.intake.take(
                "default", "mollie-nl", {}, f"id=tr_{number:010d}".encode(), query=queries[number % 4]
            )
    assert shop.world.queue.depth(Topic.INBOUND)[0] <= 1
    shop.world.settle()
    shop.world.settle(3_600)
    known = {f"GET /v2/payments/{shop.reference(payment)}"}
    assert set(shop.psp.asked[asked:]) <= known, "nobody asks about an id that a stranger made up"
    assert len(shop.psp.asked) - asked <= 3, "the page's own schedule, and no more"
    assert [status for status, _ in shop.inbox()] == ["rejected"]


def test_ten_thousand_calls_of_one_genuine_address_are_a_few_looks(shop: MollieShop) -> None:
    payment = shop.paid()
    before = shop.psp.reads_of(shop.reference(payment))
    for _ in range(10):
        shop.calls(payment, 1_000)
        shop.world.clock.forward(2)
    assert shop.world.queue.depth(Topic.INBOUND)[0] <= 4
    shop.world.settle()
    shop.world.settle(LOOK_EVERY_S)
    assert shop.psp.reads_of(shop.reference(payment)) - before <= 4, "20 s of them: one each 10 s, and one at each end"
    assert shop.inbox() == []


@pytest.mark.parametrize("body", [b"", b"nonsense", b"{}", b"id=re_1"])
def test_what_is_no_form_hides_no_call_that_is_one(shop: MollieShop, body: bytes) -> None:
    """The second call within ten seconds is the look that stands for those after it, whoever made it."""
    payment = shop.open()
    query = urlsplit(shop.psp.payments[shop.reference(payment)]["webhookUrl"]).query
    for _ in range(2):
        shop.world.intake.take("default", "mollie-nl", {}, body, query=query)
    shop.psp.pays(shop.reference(payment))
    shop.world.intake.take("default", "mollie-nl", {}, f"id={shop.reference(payment)}".encode(), query=query)
    shop.world.settle(LOOK_EVERY_S)
    assert shop.status(payment) is Status.CAPTURED


def test_a_call_that_could_not_be_looked_into_waits_anew_though_the_same_was_given_up(shop: MollieShop) -> None:
    """All calls about one payment have the same bytes, months apart."""
    payment = shop.settled(shop.paid())
    shop.psp.down = ("GET ",)
    shop.calls(payment)
    for wait_s in (LOOK_EVERY_S, *UNMATCHED_RETRY_AFTER_S):
        shop.world.settle(wait_s)
    assert [status for status, _ in shop.inbox()] == ["failed"]
    shop.world.settle(86_400)
    shop.calls(payment)
    shop.world.settle()
    shop.psp.down = ()
    shop.psp.charges_back(shop.reference(payment))
    for wait_s in UNMATCHED_RETRY_AFTER_S[:2]:
        shop.world.settle(wait_s)
    assert shop.inbox() == []
