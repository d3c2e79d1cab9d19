"""What reading a session asks Stripe for, beyond what the scenarios show."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.contracts.calls import AttemptRef
from chalicelib.contracts.conversation import HttpRequest
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.facts import Fact, Kind, State, join
from chalicelib.domain.money import Money
from tests.conformance.connectors.by_hand import held
from tests.conformance.connectors.playing import STARTED_AT, checkout_of, order_of
from tests.conformance.connectors.profile import connector_of
from tests.conformance.connectors.recordings import ATTEMPT_ID, object_of

CHECKOUT = checkout_of(order_of({}))
REFUNDED = Fact(ATTEMPT_ID, Kind.REFUND, "re_kit1", State.SUCCEEDED, Money(400, "EUR"))


def read(attempt: AttemptRef, *answers: Any) -> tuple[list[HttpRequest], list[Fact]]:
    asked, facts = held(connector_of("stripe").fetch(attempt), *answers)
    assert facts is not None, f"more was asked: {asked[-1].url}"
    return asked, list(facts)


def test_a_known_refund_is_read_although_the_charge_no_longer_counts_it() -> None:
    """Stripe takes a refund that failed out of `amount_refunded`: nothing there would tell that the money came back."""
    attempt = AttemptRef(CHECKOUT, "cs_test_kit1", (REFUNDED,))
    failed = {**object_of("stripe", "refund"), "status": "failed"}
    listed = {"object": "list", "has_more": False, "data": [failed]}
    _, facts = read(attempt, object_of("stripe", "session_paid"), listed)
    assert replace(REFUNDED, state=State.FAILED) in [replace(one, operation_id=None) for one in facts]


def test_a_refund_that_waits_is_read_although_the_charge_does_not_count_it() -> None:
    """What the read does not show may be taken for what never happened, and be refunded once more."""
    waiting = {**object_of("stripe", "refund"), "status": "requires_action"}
    listed = {"object": "list", "has_more": False, "data": [waiting]}
    _, facts = read(AttemptRef(CHECKOUT, "cs_test_kit1"), object_of("stripe", "session_paid"), listed)
    assert [one.state for one in facts if one.kind is Kind.REFUND] == [State.PENDING]


def test_refunds_are_asked_for_only_where_money_was_taken() -> None:
    held = {**object_of("stripe", "session_paid"), "payment_status": "unpaid"}
    charge = {**object_of("stripe", "charge"), "captured": False, "amount_captured": 0}
    held["payment_intent"] = {**object_of("stripe", "intent_held"), "latest_charge": charge}
    for session in (object_of("stripe", "session"), held):
        asked, _ = read(AttemptRef(CHECKOUT, "cs_test_kit1"), session)
        assert len(asked) == 1


@pytest.mark.parametrize("what", ["intent", "charge"])
def test_a_read_that_was_not_answered_in_full_is_no_answer(what: str) -> None:
    """With an id alone in its place the payment, or its refunds, would seem never to have been."""
    session = object_of("stripe", "session_paid")
    intent = session["payment_intent"]
    session["payment_intent"] = intent["id"] if what == "intent" else {**intent, "latest_charge": "ch_kit1"}
    with pytest.raises(ValueError, match="in full"):
        read(AttemptRef(CHECKOUT, "cs_test_kit1"), session)


def test_what_is_another_attempts_is_no_answer() -> None:
    """Whoever mixes answers up, between Stripe and us: the money would be another shopper's."""
    for odd in ({"id": "cs_test_kit2"}, {"metadata": {"paymentserver_attempt": "att_another"}}, {"metadata": {}}):
        with pytest.raises(ValueError, match="another"):
            read(AttemptRef(CHECKOUT, "cs_test_kit1"), {**object_of("stripe", "session_paid"), **odd})


@pytest.mark.parametrize("reference", ["..", "../refunds", "a/b", "pi_1?x=y", "pi 1", "", "pi_ü"])
def test_what_is_no_id_of_stripes_is_asked_for_nowhere(reference: str) -> None:
    with pytest.raises(ValueError):
        next(connector_of("stripe").look_up(reference))
    with pytest.raises(ValueError):
        next(connector_of("stripe").fetch(AttemptRef(CHECKOUT, reference)))


def test_a_dispute_that_was_lost_and_won_after_all_is_won() -> None:
    """Its money came back by a second movement: that is what tells the later word."""
    attempt, facts = AttemptRef(CHECKOUT, "cs_test_kit1"), []
    for status, moved in (("needs_response", 1), ("lost", 1), ("won", 2)):
        dispute = {**object_of("stripe", "dispute"), "status": status, "balance_transactions": [{}] * moved}
        listed = {"object": "list", "has_more": False, "data": [dispute]}
        none = {"object": "list", "has_more": False, "data": []}
        facts += read(attempt, object_of("stripe", "session_disputed"), none, listed)[1]
    for told in (facts, facts[::-1]):
        disputes = [one for one in join((), told) if one.kind is Kind.DISPUTE]
        assert [one.state for one in disputes] == [State.WON]


@pytest.mark.parametrize(("key", "livemode"), [("sk_live_KitSecretKeyOfNobody", False), ("rk_test_KitSecretKey", True)])
def test_an_event_of_the_other_mode_says_nothing_of_ours(key: str, livemode: bool) -> None:
    """Who may play in a test environment can write any attempt's id on what she pays there."""
    paid = object_of("stripe", "intent_paid")
    event = {"type": "payment_intent.succeeded", "livemode": livemode, "data": {"object": paid}}
    delivery = Delivery({}, json.dumps(event).encode(), STARTED_AT)
    with pytest.raises(Unreadable, match="mode"):
        connector_of("stripe", api_key=key).read(delivery)
    event["livemode"] = not livemode
    delivery = Delivery({}, json.dumps(event).encode(), STARTED_AT)
    assert connector_of("stripe", api_key=key).read(delivery)
