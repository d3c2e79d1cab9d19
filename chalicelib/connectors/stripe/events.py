"""What a Stripe event says (docs.stripe.com/api/events). Its object is a snapshot, and events come in any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chalicelib.connectors.stripe.facts import (
    Json,
    attempt_in,
    failed_session_fact,
    intent_facts,
    intent_id_in,
    refund_fact,
    session_fact,
)
from chalicelib.connectors.stripe.tables import EVENT_TYPE, Subject
from chalicelib.contracts.webhooks import AskPsp, LookUp
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.facts import Fact
from chalicelib.domain.json_text import parse

Said = Sequence[Fact | AskPsp | LookUp]


def said_in(body: bytes, livemode: bool | None) -> Said:
    """`livemode`: the account's, None where its key does not tell. Raises Unreadable. Nothing where the event is about nothing
    of ours."""
    try:
        event = parse(body)
        if livemode is not None and event["livemode"] is not livemode:
            raise Unreadable("The webhook is of Stripe's other mode: test and live do not mix.")
        subject, thing = EVENT_TYPE.of(event["type"]), event["data"]["object"]
        return _READ[subject](thing)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"The webhook is no Stripe event ({type(error).__name__}).") from None


def _session(session: Json) -> Said:
    attempt_id = attempt_in(session)
    return (session_fact(session, attempt_id),) if attempt_id else ()


def _failed_session(session: Json) -> Said:
    attempt_id = attempt_in(session)
    if attempt_id is None:
        return ()
    return (session_fact(session, attempt_id), failed_session_fact(session, attempt_id))


def _intent(intent: Json) -> Said:
    attempt_id = attempt_in(intent)
    return tuple(intent_facts(intent, attempt_id)) if attempt_id else ()


def _charge(charge: Json) -> Said:
    """A charge has its Payment Intent's metadata. Its amounts are totals, which are no facts: the payment is read."""
    attempt_id = attempt_in(charge)
    return (AskPsp(attempt_id),) if attempt_id else ()


def _refund(refund: Json) -> Said:
    """One that was made at Stripe's Dashboard does not say whose it is."""
    attempt_id = attempt_in(refund)
    return (refund_fact(refund, attempt_id),) if attempt_id else _whose(refund)


def _whose(thing: Json) -> Said:
    intent_id = intent_id_in(thing)
    return (LookUp(intent_id),) if intent_id else ()


def _nothing(thing: Json) -> Said:
    return ()


_READ: dict[Subject, Callable[[Json], Said]] = {
    Subject.SESSION: _session,
    Subject.FAILED_SESSION: _failed_session,
    Subject.INTENT: _intent,
    Subject.CHARGE: _charge,
    Subject.REFUND: _refund,
    Subject.DISPUTE: _whose,
    Subject.NOTHING: _nothing,
}
