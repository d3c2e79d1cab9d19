"""What a verified delivery says, beyond what the kit's scenarios show: times, references, other accounts, and any order."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.connectors.adyen import webhook
from chalicelib.connectors.adyen.facts import payment_reference_in
from chalicelib.contracts.webhooks import AskPsp, Delivery
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.facts import Decline, DeclineClass, Fact, Kind, State, join
from chalicelib.domain.fold import Folded, fold
from chalicelib.domain.money import Money
from chalicelib.domain.payment import Status
from tests.builders import payment
from tests.connectors.adyen.samples import ATTEMPT_ID, MANUAL, OPERATION_ID, PAID, connector, delivery, item, manual

LATER = "2026-03-01T12:0{}:00+00:00"


def said(*items: dict[str, Any], **settings: Any) -> list[Fact]:
    found = connector(**settings).read(delivery(*items))
    return [one for one in found if isinstance(one, Fact)]


def states(*items: dict[str, Any], **settings: Any) -> set[tuple[str, str, str]]:
    return {(fact.kind, fact.id, fact.state) for fact in said(*items, **settings)}


def folded(batches: Sequence[Sequence[Fact]], **order: Any) -> Folded:
    facts: tuple[Fact, ...] = ()
    for batch in batches:
        facts = join(facts, batch)
    made = payment(asked=1050, **order)
    return fold(replace(made, facts=join(made.facts, facts)))


def test_an_adjusted_authorization_holds_the_largest_amount_that_it_was_adjusted_to() -> None:
    history = [
        said(manual("AUTHORISATION")),
        said(manual("AUTHORISATION_ADJUSTMENT", "A1", at=LATER.format(1), originalReference=PAID, amount=_eur(700))),
        said(manual("AUTHORISATION_ADJUSTMENT", "A2", at=LATER.format(2), originalReference=PAID, amount=_eur(900))),
    ]
    for order in itertools.permutations(history):
        assert folded(order, **MANUAL).amounts.capturable == 900


def test_a_dispute_goes_back_and_forth_by_the_stages_of_its_events() -> None:
    events = (
        "NOTIFICATION_OF_CHARGEBACK",
        "CHARGEBACK",
        "CHARGEBACK_REVERSED",
        "SECOND_CHARGEBACK",
        "PREARBITRATION_WON",
    )
    history = [said(item("AUTHORISATION"))]
    history += [
        said(item(event, "DISPUTE1", LATER.format(at), originalReference=PAID)) for at, event in enumerate(events)
    ]
    for order in itertools.islice(itertools.permutations(history), 0, 720, 7):
        found = folded(order)
        assert (found.status, found.amounts.charged_back) == (Status.CAPTURED, 0)
    assert folded(history[:-1]).amounts.charged_back == 1050


def test_where_an_account_captures_in_parts_a_capture_gives_nothing_back() -> None:
    captured = item("CAPTURE", "CAPTURE1", originalReference=PAID, merchantReference=f"{ATTEMPT_ID}-{OPERATION_ID}")
    assert states(captured, captures_in_parts=True) == {(Kind.CAPTURE, "CAPTURE1", State.SUCCEEDED)}
    assert (Kind.RELEASE, "rest:CAPTURE1", State.SUCCEEDED) in states(captured)


def test_a_capture_made_in_the_customer_area_is_one_by_itself() -> None:
    captured = manual("CAPTURE", "CAPTURE1", originalReference=PAID)
    assert [(one.id, one.operation_id) for one in said(captured)] == [
        ("CAPTURE1", None),
        ("expiry:rest:CAPTURE1", None),
    ]


def test_an_inquiry_is_never_lost() -> None:
    asked = item("REQUEST_FOR_INFORMATION", "DISPUTE1", additionalData={"disputeStatus": "Lost"})
    assert states(asked) == {(Kind.DISPUTE, "DISPUTE1", State.INQUIRY)}


def test_a_sale_that_ran_out_without_the_payment_s_name_stays_as_it_is() -> None:
    assert states(item("EXPIRE", "EXPIRE1")) == {(Kind.RELEASE, "expiry:EXPIRE1", State.SUCCEEDED)}


@pytest.mark.parametrize(
    "event",
    [
        "CAPTURE_FAILED",
        "POSTPONED_REFUND",
        "CANCEL_OR_REFUND",
        "REFUND_FAILED",
        "REFUNDED_REVERSED",
        "EXPIRE",
        "CHARGEBACK",
        "OFFER_CLOSED",
        "CANCELLATION",
    ],
)
def test_an_event_that_was_not_carried_out_says_nothing(event: str) -> None:
    assert states(item(event, "EVENT1", originalReference=PAID, success="false")) == set()


@pytest.mark.parametrize(
    ("event", "kind"), [("CAPTURE", Kind.CAPTURE), ("REFUND", Kind.REFUND), ("CANCELLATION", Kind.RELEASE)]
)
def test_an_outcome_that_nobody_has_heard_of_is_pending(event: str, kind: Kind) -> None:
    assert states(manual(event, "EVENT1", originalReference=PAID, success="maybe")) == {(kind, "EVENT1", State.PENDING)}


def test_a_sale_s_outcome_that_nobody_has_heard_of_changes_nothing() -> None:
    assert states(item("CAPTURE", "CAPTURE1", originalReference=PAID, success="maybe")) == set()


def test_a_refusal_tells_what_the_issuer_said() -> None:
    raw = {"refusalReasonRaw": "51 : Insufficient funds"}
    (declined,) = said(item("AUTHORISATION", success="false", reason="NOT ENOUGH BALANCE", additionalData=raw))
    wanted = Decline(
        DeclineClass.SOFT, "insufficient_funds", "Not enough balance", "51 : Insufficient funds (not signed)"
    )
    assert declined.decline == wanted


@pytest.mark.parametrize(
    "at", ["2026-03-02T12:00:01+00:00", "9999-12-31T23:59:59-23:59", "2026-03-01T12:00:00", "", "now"]
)
def test_a_try_without_a_time_or_of_tomorrow_counts_as_an_old_one(at: str) -> None:
    """It is not signed, and of many tries the newest are kept."""
    (tried,) = said(item("AUTHORISATION", at=at, success="false"))
    assert (tried.kind, tried.revision) == (Kind.TRY, 0)


@pytest.mark.parametrize("reference", ["../../x", "A/B", "A?b", "A#", "A B", "", "%2e%2e", "A:B", "é", "A" * 65, "A\n"])
def test_a_reference_that_could_lead_elsewhere_is_unreadable(reference: str) -> None:
    with pytest.raises(Unreadable):
        said(item("AUTHORISATION", reference))
    if reference:
        with pytest.raises(Unreadable):
            said(item("CAPTURE", "CAPTURE1", originalReference=reference))


def test_a_capture_of_adyen_s_own_must_name_its_payment() -> None:
    with pytest.raises(Unreadable):
        said(item("CAPTURE", "CAPTURE1"))


def test_signed_fields_can_not_be_pushed_into_one_another() -> None:
    """Another system's reference with colons, signed by Adyen, splits into our fields only where one of them has colons."""
    with pytest.raises(Unreadable):
        said(item("AUTHORISATION", success="500:EUR:AUTHORISATION:true"))
    assert not said(item("AUTHORISATION", merchantReference=f"{ATTEMPT_ID}:1050:EUR:AUTHORISATION:true"))


@pytest.mark.parametrize("live", ["true", "", True, None, 0])
def test_another_environment_s_webhook_is_unreadable(live: Any) -> None:
    changed = json.loads(delivery(item("AUTHORISATION")).body)
    changed["live"] = live
    with pytest.raises(Unreadable):
        connector().read(replace(delivery(item("AUTHORISATION")), body=json.dumps(changed).encode()))


def test_a_live_account_reads_live_webhooks_alone() -> None:
    live = connector(live_url_prefix="1797a841fbb37ca7-Shop")
    assert live.read(delivery(item("AUTHORISATION"), live="true"))
    with pytest.raises(Unreadable):
        live.read(delivery(item("AUTHORISATION"), live="false"))


def test_what_may_be_ours_and_bears_another_reference_is_for_people_to_see() -> None:
    found = connector().read(delivery(item("REFUND", "REFUND1", originalReference=PAID, merchantReference="x" * 200)))
    assert found == (AskPsp("x" * 80),)


def test_an_amount_in_no_currency_or_in_fractions_is_unreadable() -> None:
    for amount in ({"currency": "XXX", "value": 1}, {"currency": "CLP", "value": 150}, {"currency": "EUR"}, {}):
        with pytest.raises(Unreadable):
            said(item("AUTHORISATION", amount=amount))


def test_amounts_come_in_adyen_s_units_and_are_told_in_ours() -> None:
    assert said(item("AUTHORISATION", amount={"currency": "CLP", "value": 105000}))[0].amount == Money(1050, "CLP")


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ([], None),
        ([item("AUTHORISATION")], PAID),
        ([manual("AUTHORISATION")], PAID),
        ([item("AUTHORISATION", success="false")], None),
        ([item("REFUND", "REFUND1", originalReference=PAID)], None),
        ([manual("AUTHORISATION"), manual("CAPTURE", "CAPTURE1", originalReference=PAID)], PAID),
        ([item("CAPTURE_FAILED", "CAPTURE1", originalReference=PAID)], PAID),
        ([manual("CAPTURE", "CAPTURE1", originalReference=PAID)], None),
    ],
)
def test_a_payment_is_named_by_what_webhooks_told_of_its_money(facts: list[dict[str, Any]], name: str | None) -> None:
    told = said(*facts) if facts else []
    assert payment_reference_in(told) == name
    assert payment_reference_in([Fact(ATTEMPT_ID, Kind.CAPTURE, "operator:op_1", State.SUCCEEDED), *told]) == name


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.text(max_size=3))


@given(
    name=st.sampled_from(sorted(item("AUTHORISATION"))),
    value=VALUES,
    event=st.sampled_from(["AUTHORISATION", "REFUND"]),
)
def test_a_hostile_field_is_only_ever_unreadable(name: str, value: object, event: str) -> None:
    """As if Adyen itself had gone mad and signed it: a field of the wrong type is never an error of another kind, and holds
    nothing else back."""
    wrong = {**item(event), "originalReference": PAID, name: value}
    monkey = pytest.MonkeyPatch()
    monkey.setattr(webhook, "is_genuine", lambda one, keys: True)
    try:
        found = connector().read(unsigned(wrong, item("REFUND", "GOOD1", originalReference=PAID)))
        assert "GOOD1" in {one.id for one in found if isinstance(one, Fact)}
        connector().read(unsigned(wrong))
    except Unreadable:
        return
    finally:
        monkey.undo()


def unsigned(*items: dict[str, Any]) -> Delivery:
    wrapped = [{"NotificationRequestItem": one} for one in items]
    return replace(delivery(*items[1:]), body=json.dumps({"live": "false", "notificationItems": wrapped}).encode())


def _eur(value: int) -> dict[str, Any]:
    return {"currency": "EUR", "value": value}
