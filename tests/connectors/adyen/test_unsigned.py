"""What of a webhook is not signed may be changed by whoever holds a genuine one: it decides neither about money nor about
what came after what."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.connectors.adyen.tables import DISPUTE_STAGE, EVENT_CODE, Subject
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.errors import SignatureInvalid, Unreadable
from chalicelib.domain.facts import Fact, Kind, join
from chalicelib.domain.fold import Folded, fold
from chalicelib.domain.payment import Payment, Status
from tests.builders import payment
from tests.connectors.adyen.profile import PREVIOUS, SECRET
from tests.connectors.adyen.samples import ATTEMPT_ID, MANUAL, OPERATION_ID, PAID, connector, delivery, item, manual

OPERATION = f"{ATTEMPT_ID}-{OPERATION_ID}"
LIVE_PREFIX = "1797a841fbb37ca7-Shop"
DISPUTES = {Subject.INQUIRY, Subject.DISPUTE, Subject.WON_DISPUTE, Subject.LOST_DISPUTE}
DATES = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.integers(),
    st.lists(st.text(max_size=3), max_size=2),
    st.datetimes().map(lambda at: at.isoformat() + "+00:00"),
)


def said(*items: dict[str, Any]) -> list[Fact]:
    found = connector().read(delivery(*items))
    return [one for one in found if isinstance(one, Fact)]


def folded(history: Sequence[dict[str, Any]], **order: Any) -> Folded:
    made: Payment = payment(asked=1050, **order)
    facts = made.facts
    for one in history:
        facts = join(facts, said(one))
    return fold(replace(made, facts=facts))


def dated(one: dict[str, Any], minute: int) -> dict[str, Any]:
    return {**one, "eventDate": f"2026-03-01T12:{minute:02}:00+00:00"}


def paid(event: str, name: str, **more: Any) -> dict[str, Any]:
    return item(event, name, originalReference=PAID, **more)


def histories() -> dict[str, tuple[list[dict[str, Any]], dict[str, Any]]]:
    captured = paid("CAPTURE", "CAPTURE1", merchantReference=OPERATION, amount={"currency": "EUR", "value": 400})
    adjusted = manual(
        "AUTHORISATION_ADJUSTMENT", "A1", originalReference=PAID, amount={"currency": "EUR", "value": 700}
    )
    return {
        "a dispute that was won and lost again": (
            [
                item("AUTHORISATION"),
                paid("CHARGEBACK", "DISPUTE1"),
                paid("CHARGEBACK_REVERSED", "DISPUTE1"),
                paid("SECOND_CHARGEBACK", "DISPUTE1"),
            ],
            {},
        ),
        "a sale whose capture failed": (
            [item("AUTHORISATION"), paid("CAPTURE", "CAPTURE1"), paid("CAPTURE_FAILED", "CAPTURE1")],
            {},
        ),
        "a sale that was captured after all": (
            [item("AUTHORISATION"), paid("CAPTURE_FAILED", "CAPTURE1"), paid("CAPTURE", "CAPTURE2")],
            {},
        ),
        "a capture that failed later": (
            [manual("AUTHORISATION"), captured, {**captured, "eventCode": "CAPTURE_FAILED"}],
            MANUAL,
        ),
        "an authorization that was adjusted": (
            [
                manual("AUTHORISATION"),
                adjusted,
                {**adjusted, "pspReference": "A2", "amount": {"currency": "EUR", "value": 900}},
            ],
            MANUAL,
        ),
        "a refund that came back": (
            [item("AUTHORISATION"), paid("REFUND", "REFUND1"), paid("REFUNDED_REVERSED", "REFUND1")],
            {},
        ),
    }


STANDS = {
    "a dispute that was won and lost again": (Status.CAPTURED, 1050, 0, 1050),
    "a sale whose capture failed": (Status.AUTHORIZED, 0, 1050, 0),
    "a sale that was captured after all": (Status.CAPTURED, 1050, 0, 0),
    "a capture that failed later": (Status.AUTHORIZED, 0, 1050, 0),
    "an authorization that was adjusted": (Status.AUTHORIZED, 0, 900, 0),
    "a refund that came back": (Status.CAPTURED, 1050, 0, 0),
}


@pytest.mark.parametrize("name", STANDS)
def test_a_history_stands_the_same_whatever_its_events_are_dated(name: str) -> None:
    """Each event once as it was and once more, dated anew: in every order."""
    history, order = histories()[name]
    for times in itertools.permutations(range(len(history))):
        told = [dated(one, at) for one, at in zip(history, times, strict=True)]
        again = [dated(one, 59 - at) for one, at in zip(history, times, strict=True)]
        for events in (told, told[::-1], told + again, again + told):
            found = folded(events, **order)
            amounts = found.amounts
            stands = (found.status, amounts.captured, amounts.capturable, amounts.charged_back)
            assert stands == STANDS[name], [(one["eventCode"], one["eventDate"]) for one in events]


def test_each_event_of_a_dispute_has_its_place() -> None:
    assert {code for code, subject in EVENT_CODE.meanings.items() if subject in DISPUTES} == DISPUTE_STAGE.keys()


@given(
    event=st.sampled_from([code for code, subject in EVENT_CODE.meanings.items() if subject is not Subject.NOTHING]),
    at=DATES,
    success=st.sampled_from(["true", "false"]),
    reference=st.sampled_from(["", "-manual", f"-{OPERATION_ID}"]),
)
@settings(max_examples=500, deadline=None)
def test_what_an_event_says_of_money_is_the_same_whenever_it_says_it_was(
    event: str, at: object, success: str, reference: str
) -> None:
    one = paid(event, "EVENT1", success=success, merchantReference=ATTEMPT_ID + reference)
    plain, again = said(one), said({**one, "eventDate": at})
    untimed = [[replace(fact, revision=0) if fact.kind is Kind.TRY else fact for fact in one] for one in (plain, again)]
    assert untimed[0] == untimed[1]


def with_live(genuine: Delivery, live: str) -> Delivery:
    return replace(genuine, body=json.dumps({**json.loads(genuine.body), "live": live}).encode())


def test_a_test_notification_is_refused_by_a_live_connection() -> None:
    """Whatever its `live` says: the test environment's items are signed with another key."""
    live = connector(live_url_prefix=LIVE_PREFIX, hmac_key=PREVIOUS, hmac_key_previous=None)
    of_test = delivery(item("AUTHORISATION"), live="false", secret=SECRET)
    for told in (of_test, with_live(of_test, "true")):
        with pytest.raises(SignatureInvalid):
            next(live.verify(told))
        with pytest.raises(Unreadable):
            live.read(told)


def test_a_notification_that_says_it_is_a_test_is_refused_by_a_live_connection_though_its_key_fits() -> None:
    live = connector(live_url_prefix=LIVE_PREFIX)
    genuine = delivery(item("AUTHORISATION"), live="true")
    assert live.read(genuine)
    with pytest.raises(Unreadable):
        live.read(with_live(genuine, "false"))


def test_a_live_notification_is_refused_by_a_test_connection() -> None:
    with pytest.raises(Unreadable):
        connector().read(with_live(delivery(item("AUTHORISATION")), "true"))


def test_until_when_a_dispute_can_be_answered_is_not_told_as_nobody_signs_it() -> None:
    """With a later day than there is somebody would have it lost."""
    disputed = paid(
        "NOTIFICATION_OF_CHARGEBACK", "DISPUTE1", additionalData={"defensePeriodEndsAt": "2030-01-01T00:00:00Z"}
    )
    assert [fact.respond_by for fact in said(disputed)] == [""]


@pytest.mark.parametrize(
    "told",
    [
        paid("NOTIFICATION_OF_CHARGEBACK", "DISPUTE1", reason="call +31 6 1234"),
        paid("CAPTURE_FAILED", "CAPTURE1", reason="call +31 6 1234"),
        paid("REFUND_FAILED", "REFUND1", reason="call +31 6 1234"),
        item("AUTHORISATION", success="false", reason="call +31 6 1234"),
        item(
            "AUTHORISATION", success="false", reason="Refused", additionalData={"refusalReasonRaw": "call +31 6 1234"}
        ),
    ],
)
def test_a_text_that_nobody_signed_says_so_wherever_it_is_told(told: dict[str, Any]) -> None:
    texts = [text for fact in said(told) for text in texts_of(fact) if "call" in text]
    assert texts == ["call +31 6 1234 (not signed)"]


def texts_of(fact: Fact) -> list[str]:
    declined = fact.decline
    return [fact.reason] + ([declined.code, declined.psp_code, declined.message] if declined else [])
