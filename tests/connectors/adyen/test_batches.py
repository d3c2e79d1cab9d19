"""A delivery of several items, some of which are forged or make no sense: the others hold, each by its own signature."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.contracts.queue import Topic
from chalicelib.domain.errors import SignatureInvalid, TooManyRequests, Unreadable
from chalicelib.domain.facts import Fact
from chalicelib.domain.payment import Payment, Status
from chalicelib.services.apply import UNMATCHED_RETRY_AFTER_S
from chalicelib.services.intake import MIXED_EVERY_S, MIXED_MAX
from tests.builders import NOW
from tests.connectors.adyen.profile import SECRET, sign
from tests.connectors.adyen.samples import ATTEMPT_ID, PAID, connector, delivery, item
from tests.connectors.adyen.shop import AdyenShop

Item = dict[str, Any]


def two_paid(shop: AdyenShop) -> tuple[list[Payment], list[Item]]:
    """Two payments, and the two signed items that tell that they are paid."""
    payments = [shop.open(key=key) for key in ("one", "two")]
    for payment in payments:
        peer, page = shop.page(payment)
        peer.pay(page)
    wrapped = json.loads(shop.signed())["notificationItems"]
    return payments, [one["NotificationRequestItem"] for one in wrapped]


def delivery_of(*items: object) -> bytes:
    wrapped = [{"NotificationRequestItem": one} for one in items]
    return json.dumps({"live": "false", "notificationItems": wrapped}).encode()


def forged(item: Item) -> Item:
    return {**item, "pspReference": "FORGED", "success": "true"}


def signed(item: Item) -> Item:
    """As if Adyen itself had said it."""
    found: Item = json.loads(sign(delivery_of(item), SECRET, NOW).body)["notificationItems"][0][
        "NotificationRequestItem"
    ]
    return found


def nameless(item: Item) -> Item:
    return {name: value for name, value in item.items() if name != "merchantReference"}


BAD: dict[str, Callable[[Item], object]] = {
    "its amount was changed": lambda item: {**item, "amount": {**item["amount"], "value": 1}},
    "it is not signed": lambda item: {name: value for name, value in item.items() if name != "additionalData"},
    "it is no item": lambda item: ["AUTHORISATION"],
    "it is nothing": lambda item: None,
    "Adyen signed nonsense": lambda item: signed({**item, "pspReference": "../x"}),
    "Adyen signed no reference": lambda item: signed({**nameless(item), "originalReference": "A B"}),
    "Adyen signed a currency that there is not": lambda item: signed({**item, "amount": {"value": 1, "currency": "X"}}),
}


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("bad", BAD)
def test_what_is_wrong_with_one_item_keeps_no_other_back(shop: AdyenShop, bad: str, place: int) -> None:
    (paid, other), items = two_paid(shop)
    told: list[object] = [items[0]]
    told.insert(place, BAD[bad](items[1]))
    shop.hears(body=delivery_of(*told))
    assert (shop.status(paid), shop.status(other)) == (Status.CAPTURED, Status.PENDING)
    (kept,) = shop.kept()
    assert kept.status == "failed"
    assert f"item {place + 1} of 2" in kept.detail


def test_a_forged_item_among_genuine_ones_becomes_no_fact(shop: AdyenShop) -> None:
    """It is about the very payment that the genuine one is about."""
    (paid, other), items = two_paid(shop)
    refund = {**items[0], "eventCode": "REFUND", "pspReference": "FORGEDREFUND1", "originalReference": "X"}
    before = len(shop.now(paid).facts)
    shop.hears(body=delivery_of(items[0], refund, forged(items[1])))
    found = shop.now(paid)
    assert (found.status, shop.status(other)) == (Status.CAPTURED, Status.PENDING)
    assert len(found.facts) == before + 1
    assert "FORGED" not in str(shop.now(paid)) + str(shop.now(other))


def test_the_signature_of_one_item_is_good_for_no_other(shop: AdyenShop) -> None:
    (paid, other), items = two_paid(shop)
    borrowed = {**items[1], "additionalData": items[0]["additionalData"]}
    shop.hears(body=delivery_of(items[0], borrowed))
    assert (shop.status(paid), shop.status(other)) == (Status.CAPTURED, Status.PENDING)


def test_a_delivery_without_one_genuine_item_is_refused_at_the_door(shop: AdyenShop) -> None:
    (paid, other), items = two_paid(shop)
    for body in (delivery_of(forged(items[0])), delivery_of(*map(forged, items)), delivery_of(None), delivery_of()):
        with pytest.raises(SignatureInvalid):
            shop.world.intake.take("default", "adyen-1", {}, body)
    shop.world.settle()
    assert [shop.status(one) for one in (paid, other)] == [Status.PENDING] * 2
    assert [one.status for one in shop.kept()] == ["rejected"]


def test_items_that_could_be_read_once_a_key_was_put_right_are_applied_by_the_next_try(shop: AdyenShop) -> None:
    """The key was replaced at Adyen while some items were on their way: what was taken in is not lost."""
    (paid, other), items = two_paid(shop)
    old = "00" * 32
    before = json.loads(sign(delivery_of(items[1]), old, NOW).body)["notificationItems"][0]["NotificationRequestItem"]
    shop.hears(body=delivery_of(items[0], before))
    assert (shop.status(paid), shop.status(other)) == (Status.CAPTURED, Status.PENDING)
    shop.change("adyen-1", hmac_key_previous=old)
    shop.world.settle(UNMATCHED_RETRY_AFTER_S[0] + 1)
    assert (shop.status(other), shop.kept()) == (Status.CAPTURED, [])


def test_an_item_that_stays_unreadable_waits_for_an_operator(shop: AdyenShop) -> None:
    (paid, _), items = two_paid(shop)
    shop.hears(body=delivery_of(signed({**items[1], "pspReference": "A B"}), items[0]))
    for wait_s in (*UNMATCHED_RETRY_AFTER_S, 86_400):
        shop.world.settle(wait_s + 1)
    (kept,) = shop.kept()
    assert (kept.status, kept.due_at, shop.status(paid)) == ("failed", None, Status.CAPTURED)


def test_a_mixed_delivery_that_was_queued_unverified_is_read_the_same(
    shop: AdyenShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    (paid, other), items = two_paid(shop)
    with monkeypatch.context() as down:
        down.setattr(shop.world.intake, "_receiving", lambda *_: None)
        shop.world.intake.take("default", "adyen-1", {}, delivery_of(items[0], forged(items[1])))
    assert shop.world.queue.depth(Topic.INBOUND)[0] == 1
    shop.world.settle()
    assert (shop.status(paid), shop.status(other)) == (Status.CAPTURED, Status.PENDING)
    assert [one.status for one in shop.kept()] == ["failed"]


GENUINE = [
    signed(item(event, f"{event[:4]}{number}", originalReference=PAID))
    for number, event in enumerate(
        ("AUTHORISATION", "CAPTURE", "REFUND", "CHARGEBACK", "CANCELLATION", "REPORT_AVAILABLE")
    )
]
CHANGES = st.sampled_from(
    [
        {"pspReference": "FORGED1"},
        {"merchantReference": f"{ATTEMPT_ID}-manual"},
        {"amount": {"currency": "EUR", "value": 1}},
        {"amount": None},
        {"success": "false"},
        {"eventCode": "CHARGEBACK_REVERSED"},
        {"originalReference": "OTHER1"},
        {"additionalData": {}},
        {"additionalData": None},
        {"additionalData": {"hmacSignature": "AAAA"}},
    ]
)
FORGED = st.builds(lambda one, changes: {**one, **changes}, st.sampled_from(GENUINE), CHANGES)
NO_ITEMS = st.sampled_from([None, 1, "x", [], {}, {"eventCode": []}])


@given(told=st.lists(st.sampled_from(GENUINE) | FORGED | NO_ITEMS, min_size=1, max_size=8))
@settings(max_examples=300, deadline=None)
def test_a_delivery_says_what_its_genuine_items_say_each_alone(told: list[object]) -> None:
    def read(*items: object) -> list[Fact]:
        try:
            found = connector().read(replace(delivery(), body=delivery_of(*items)))
        except Unreadable:
            return []
        return [one for one in found if isinstance(one, Fact)]

    assert read(*told) == [fact for one in told if one in GENUINE for fact in read(one)]


def test_what_is_said_of_a_forged_item_is_no_text_of_its_own(shop: AdyenShop) -> None:
    _, items = two_paid(shop)
    hostile = {**items[1], "pspReference": "<script>", "eventCode": "CALL +31 6 1234", "reason": "pay here"}
    shop.hears(body=delivery_of(items[0], hostile))
    (kept,) = shop.kept()
    assert not any(text in kept.detail for text in ("script", "CALL", "pay here"))


def test_whoever_has_one_genuine_item_fills_the_inbox_only_so_far(shop: AdyenShop) -> None:
    """Each delivery is another one, with the same genuine item among other nonsense: beyond a bound they are not taken in."""
    (paid, other), items = two_paid(shop)

    def taken(number: int) -> bool:
        try:
            shop.world.intake.take("default", "adyen-1", {}, delivery_of(items[0], {"pspReference": f"FORGED{number}"}))
        except TooManyRequests:
            return False
        return True

    assert sum(taken(number) for number in range(200)) == MIXED_MAX
    shop.world.settle()
    assert len(shop.kept()) == MIXED_MAX
    shop.hears(body=delivery_of(items[1]))
    assert (shop.status(paid), shop.status(other)) == (Status.CAPTURED, Status.CAPTURED), "whole ones wait for nobody"
    shop.world.clock.forward(3 * MIXED_EVERY_S)
    assert sum(taken(number) for number in range(200, 300)) == 3


def test_what_bears_another_reference_is_kept_each_though_many_come_at_once(shop: AdyenShop) -> None:
    """None is a look that could stand for another: each is an event that people must see."""
    for number in range(4):
        changes = {"merchantReference": "order-77", "merchantAccountCode": "FirstECOM", "originalReference": PAID}
        shop.hears(body=delivery_of(signed(item("REFUND", f"REFUND{number}", **changes))))
    shop.world.settle(3_600)
    assert len(shop.kept()) == 4


def of_another_shop(number: int = 1, **changes: object) -> Item:
    """Of a payment that may be ours, made in the Customer Area with another reference."""
    given = {"merchantReference": "order-77", "merchantAccountCode": "FirstECOM", "originalReference": PAID, **changes}
    return signed(item("REFUND", f"REFUND{number}", **given))


def test_what_nobody_signed_makes_no_second_entry_of_what_bears_another_reference(shop: AdyenShop) -> None:
    """Whoever has such an item can write what he likes around what is signed."""
    genuine = of_another_shop()
    for number in range(50):
        shop.hears(
            body=delivery_of({**genuine, "reason": f"call {number}", "eventDate": f"2026-03-01T12:00:{number:02}Z"})
        )
        shop.hears(body=delivery_of(*[genuine] * (number % 5 + 1)))
    assert [one.status for one in shop.kept()] == ["unmatched"]


def test_nor_does_it_of_what_can_not_be_read(shop: AdyenShop) -> None:
    genuine = of_another_shop(merchantAccountCode="NobodysECOM")
    for number in range(50):
        shop.hears(body=delivery_of({**genuine, "reason": f"call {number}"}))
    assert [one.status for one in shop.kept()] == ["failed"]


def selections(items: Sequence[Item]) -> Iterator[tuple[Item, ...]]:
    return (some for many in range(1, len(items) + 1) for some in itertools.combinations(items, many))


def test_nor_do_selections_of_what_says_nothing_beside_it(shop: AdyenShop) -> None:
    report = {"merchantReference": "", "merchantAccountCode": "FirstECOM"}
    reports = [signed(item("REPORT_AVAILABLE", f"REPORT{number}", **report)) for number in range(6)]
    for some in selections(reports):
        shop.hears(body=delivery_of(of_another_shop(), *some))
    assert [one.status for one in shop.kept()] == ["unmatched"]


def test_nor_do_selections_of_what_is_for_another_account(shop: AdyenShop) -> None:
    for some in selections([of_another_shop(number, merchantAccountCode="NobodysECOM") for number in range(6)]):
        shop.hears(body=delivery_of(*some))
    assert [one.status for one in shop.kept()] == ["failed"]


def test_what_is_of_the_wrong_environment_hides_no_genuine_one(shop: AdyenShop) -> None:
    body = delivery_of(of_another_shop())
    shop.hears(body=body.replace(b'"live": "false"', b'"live": "true"'))
    shop.hears(body=body)
    assert sorted(one.status for one in shop.kept()) == ["failed", "unmatched"]


def test_genuine_items_in_ever_other_company_are_taken_in_only_so_many(shop: AdyenShop) -> None:
    """Of thirty items there are a thousand million selections."""
    _, (known, _) = two_paid(shop)
    told = [of_another_shop(number) for number in range(30)]
    taken = 0
    for number, one in enumerate(told * 3):
        try:
            shop.hears(body=delivery_of(known, one, told[number // 3]))
            taken += 1
        except TooManyRequests:
            continue
    assert (taken, len(shop.kept())) == (MIXED_MAX, MIXED_MAX)


def test_those_that_came_while_nobody_could_verify_them_fill_the_inbox_no_further(
    shop: AdyenShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    (paid, other), items = two_paid(shop)
    with monkeypatch.context() as down:
        down.setattr(shop.world.intake, "_receiving", lambda *_: None)
        for number in range(100):
            shop.world.intake.take("default", "adyen-1", {}, delivery_of(items[0], {"pspReference": f"FORGED{number}"}))
        shop.world.intake.take("default", "adyen-1", {}, delivery_of(items[1]))
    shop.world.settle()
    assert len(shop.kept()) == MIXED_MAX + 1, "and one that stands for all the others"
    assert (shop.status(paid), shop.status(other)) == (Status.CAPTURED, Status.CAPTURED)
