"""PayPal's answers, read."""

from __future__ import annotations

from datetime import timedelta
from email.utils import parsedate_to_datetime

from chalicelib.connectors.paypal.facts import Json, is_named, money_in, order_facts, unit_in
from chalicelib.connectors.paypal.places import page_of, path_of
from chalicelib.connectors.paypal.refusals import said_in
from chalicelib.connectors.paypal.tables import Subject
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, Opened
from chalicelib.contracts.conversation import HttpResponse, ReadFailed
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.payment import NextAction

ABSENT_AFTER_S = 900  # "not found" proves nothing about an order that is younger
MONEY = frozenset({Kind.AUTHORIZATION, Kind.CAPTURE})
_UNKNOWN = frozenset({"RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID"})  # what is between PayPal and us says 404 too
_NO_LONGER_PAYABLE = frozenset({"APPROVED", "COMPLETED", "VOIDED"})


def read(response: HttpResponse) -> Json:
    """Raises ReadFailed where PayPal did not answer with what was asked, ValueError for what can not be read."""
    if response.status not in (200, 201):
        raise ReadFailed(f"PayPal answered {response.status}")
    document = response.json()
    if not isinstance(document, dict):
        raise ValueError("the answer is no object")
    return document


def the_order(response: HttpResponse, attempt: AttemptRef) -> Json:
    """Raises ReadFailed; ValueError or KeyError for what is not this attempt's order."""
    order = read(response)
    if order["id"] != attempt.psp_reference or not order["status"]:
        raise ValueError("PayPal answered with another order than was asked for")
    return order


def whole_order(response: HttpResponse, attempt: AttemptRef) -> Json:
    """Of a read, which leaves nothing out: whoever named the order may have named somebody else's, whose money is not ours.
    Raises as `the_order` does."""
    order = the_order(response, attempt)
    if not is_named(order, attempt.attempt_id):
        raise ValueError("nothing says that the order is the attempt's")
    return order


def order_in(response: HttpResponse, attempt: AttemptRef) -> tuple[Fact, ...]:
    """The facts of the order that was read, or that PayPal no longer has it: unpaid orders are forgotten after hours. Of one
    that was paid, that it is forgotten says nothing. Raises ReadFailed; ValueError or KeyError for what is no answer of
    PayPal's."""
    if response.status != 404:
        return order_facts(whole_order(response, attempt), attempt.attempt_id)
    if said_in(response).code not in _UNKNOWN:
        raise ReadFailed("the answer 404 is not PayPal's word of the order")
    try:
        now = parsedate_to_datetime(response.headers.get("date", ""))
        age_s = (now - attempt.checkout.started_at).total_seconds()
    except (ValueError, TypeError):
        age_s = 0.0
    if age_s < ABSENT_AFTER_S:
        raise ReadFailed("PayPal does not know the order")
    if any(fact.kind in MONEY and fact.state is not State.FAILED for fact in attempt.facts):
        return ()
    return (Fact(attempt.attempt_id, Kind.CHECKOUT, str(attempt.psp_reference), State.EXPIRED, reason="gone"),)


def opened_in(document: Json, order: CheckoutOrder, life_minutes: int) -> Opened:
    """Raises ValueError, KeyError or TypeError for what is not the order that was asked for."""
    id, status = document["id"], str(document["status"])
    path_of(Subject.ORDER, id)
    facts = order_facts(document, order.attempt_id)
    if money_in(unit_in(document)) != order.order.amount:
        raise ValueError("the order is for another amount than was asked")
    if status in _NO_LONGER_PAYABLE:
        return Opened(str(id), None, facts)
    url = page_of(document.get("links"), "payer-action", "approve")
    if url is None:
        raise ValueError("the order has no page")
    return Opened(str(id), NextAction(url, expires_at=order.started_at + timedelta(minutes=life_minutes)), facts)
