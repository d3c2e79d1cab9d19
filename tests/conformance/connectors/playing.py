"""Plays one step of a scenario and says what came of it, in the words of the scenario files."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder, Opened, Refusal
from chalicelib.contracts.connector import Connector
from chalicelib.contracts.conversation import (
    CallFailed,
    Conversation,
    HttpRequest,
    HttpResponse,
    OutcomeUnknown,
    ReadFailed,
)
from chalicelib.contracts.query import check_query
from chalicelib.contracts.webhooks import AskPsp, LeftOut, LookUp, WebhookAddress, WebhookMade
from chalicelib.domain.errors import PaymentServerError
from chalicelib.domain.facts import Decline, Fact, Kind, State
from chalicelib.domain.money import Money
from chalicelib.domain.order import Address, CaptureMode, Customer, Line, Order
from chalicelib.outbound.driver import Deadline, Driver
from tests.conformance.connectors.answering import CLOSED_PORT, Answer, Fault
from tests.conformance.connectors.profile import connector_class, profile_of, verified
from tests.conformance.connectors.recordings import ATTEMPT_ID, Scenario, Step, operation_of
from tests.conformance.connectors.replay import Replay, answer_of, readdressed, signed_by

STARTED_AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WEBHOOK_URL = "https://pay.example/webhooks/default/the-connection"
WEBHOOK_URLS = {
    WebhookAddress.ENTERED: "",
    WebhookAddress.TOLD: WEBHOOK_URL,
    WebhookAddress.OWN: f"{WEBHOOK_URL}?attempt=its-token",
}
MONEY_CALLS = ("capture", "cancel", "refund")


@dataclass
class Told:
    """`view` is what the step came to; `facts` those that it told; `requests` what the PSP was asked."""

    view: dict[str, Any]
    facts: tuple[Fact, ...] = ()
    requests: list[HttpRequest] = field(default_factory=list)


def order_of(wanted: Mapping[str, Any]) -> Order:
    fields: dict[str, Any] = {
        "order_reference": "order-1001",
        "return_url": "https://shop.example/return",
        "cancel_url": "https://shop.example/cancel",
        **wanted,
    }
    fields["amount"] = Money(*fields.get("amount", (1050, "EUR")))
    fields["capture"] = CaptureMode(fields.get("capture", "automatic"))
    for name, kind in (("customer", Customer), ("billing_address", Address), ("shipping_address", Address)):
        if name in fields:
            fields[name] = kind(**fields[name])
    currency = fields["amount"].currency
    fields["lines"] = tuple(
        Line(one["name"], one["quantity"], Money(one["unit_amount"], currency), one.get("reference"))
        for one in fields.get("lines", ())
    )
    return Order(**fields)


def checkout_of(order: Order, webhook_url: str = "") -> CheckoutOrder:
    urls = order.return_url, order.cancel_url, webhook_url
    return CheckoutOrder(ATTEMPT_ID, "the-connection", order, STARTED_AT, *urls)


def reference_of(scenario: Scenario) -> AttemptRef:
    address = connector_class(scenario.psp).capabilities.webhook_address
    checkout = checkout_of(order_of(scenario.order), WEBHOOK_URLS[address])
    return AttemptRef(checkout, profile_of(scenario.psp).psp_reference)


def facts_before(scenario: Scenario, step: Step) -> tuple[Fact, ...]:
    """What the steps before the scenario's first such call have told."""
    steps = itertools.takewhile(lambda one: one.call != step.call, scenario.steps)
    return tuple(_fact(view) for one in steps for view in one.expect.get("facts", ()))


def _fact(view: Mapping[str, Any]) -> Fact:
    """The fact that `fact_view` shows, without its decline."""
    said = {name: part for name, part in view.items() if name not in ("kind", "state", "amount", "decline")}
    amount = Money(*view["amount"]) if "amount" in view else None
    known = {"attempt_id": ATTEMPT_ID, **said}
    return Fact(kind=Kind(view["kind"]), state=State(view["state"]), amount=amount, **known)


def conversation_of(connector: Connector, scenario: Scenario, step: Step) -> Conversation[Any]:
    ref = reference_of(scenario)
    if step.call in (*MONEY_CALLS, "release_rest"):
        known = replace(ref, facts=facts_before(scenario, step))
        return getattr(connector, step.call)(money_order_of(known, step.operation))  # type: ignore[no-any-return]
    if step.call == "open_checkout":
        return connector.open_checkout(ref.checkout)
    if step.call == "recover":
        return connector.recover(AttemptRef(ref.checkout, None))
    if step.call == "test":
        return connector.test()
    if step.call == "look_up":
        return connector.look_up(step.object)
    if step.call == "create_webhook":
        return connector.create_webhook(WEBHOOK_URL)
    if step.call == "webhook":
        return _webhook(connector, scenario.psp, step)
    assert step.call in ("fetch", "expire", "complete"), f"there is no call {step.call!r}"
    return getattr(connector, step.call)(ref)  # type: ignore[no-any-return]


def money_order_of(ref: AttemptRef, wanted: Mapping[str, Any]) -> MoneyOrder:
    amount = Money(*wanted["amount"]) if wanted.get("amount") else None
    operation_id = operation_of(wanted.get("key", "a"))
    return MoneyOrder(ref, operation_id, amount, wanted.get("reason"), wanted.get("final", False))


def _webhook(connector: Connector, psp: str, step: Step) -> Conversation[Any]:
    profile = profile_of(psp)
    body = step.webhook.encode() if isinstance(step.webhook, str) else json.dumps(step.webhook).encode()
    delivery = profile.sign(body, profile.secret, datetime.now(UTC))
    assert delivery.method in connector.capabilities.webhook_methods, f"{psp} never calls back by {delivery.method}"
    check_query(delivery.query)
    verified(psp, connector, delivery)
    return connector.read(delivery)
    yield  # a conversation without a call


def play(
    connector: Connector,
    scenario: Scenario,
    step: Step,
    replay: Replay,
    answers: Sequence[Answer | Fault] | None = None,
    driver: Driver | None = None,
) -> Told:
    """Through the real driver, over HTTP. `answers` in place of the recorded ones."""
    given = [answer_of(one) for one in step.exchanges] if answers is None else list(answers)
    said_by_psp = [one if isinstance(one, Fault) else signed_by(scenario.psp, one) for one in given]
    replay.answers = [one for one in said_by_psp if one is not Fault.REFUSED]
    addresses = [CLOSED_PORT if one is Fault.REFUSED else replay.url for one in given] or [replay.url]
    seen: list[HttpRequest] = []
    conversation = readdressed(conversation_of(connector, scenario, step), addresses, seen)
    try:
        said = (driver or Driver(call_timeout_s=5)).converse(conversation, Deadline(20))
    except (CallFailed, PaymentServerError) as error:
        return Told({"raises": type(error).__name__}, (), seen)
    return told_of(said, seen)


def play_in_memory(
    connector: Connector, scenario: Scenario, step: Step, conversation: Conversation[Any] | None = None
) -> dict[str, Any]:
    """The same without HTTP, and as fast as it can be: what decides is the connector alone. `conversation` in place of the
    step's own."""
    answers = [signed_by(scenario.psp, answer_of(one)) for one in step.exchanges]
    sent, moved = False, False
    try:
        conversation = conversation or conversation_of(connector, scenario, step)
        request = next(conversation)
        for answer in answers:
            sent, moved = True, moved or request.moves_money
            if answer.status >= 500:
                raise ValueError(answer.status)
            lowered = {name.lower(): value for name, value in answer.headers.items()}
            request = conversation.send(HttpResponse(answer.status, lowered, answer.body))
        return {"raises": "more was asked than is recorded"}
    except StopIteration as stop:
        return told_of(stop.value, []).view
    except PaymentServerError as error:
        return {"raises": type(error).__name__}
    except Exception as error:
        failed = type(error) if isinstance(error, CallFailed) or not sent else ReadFailed
        unsure = moved and not issubclass(failed, OutcomeUnknown)
        return {"raises": (OutcomeUnknown if unsure else failed).__name__}


def told_of(said: Any, seen: list[HttpRequest]) -> Told:
    if said is None:
        return Told({"nothing": True}, (), seen)
    if isinstance(said, Refusal):
        return Told(refusal_view(said), (), seen)
    if isinstance(said, WebhookMade):
        return Told({"made": {"psp_reference": said.psp_reference, "settings": dict(said.settings)}}, (), seen)
    if isinstance(said, Opened):
        opened: dict[str, Any] = {"psp_reference": said.psp_reference}
        if said.action is not None:
            opened |= {"url": said.action.url}
            if said.action.expires_at is not None:
                opened["expires_at"] = said.action.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return Told({"opened": opened, **facts_view(said.facts)}, said.facts, seen)
    facts = tuple(one for one in said if isinstance(one, Fact))
    view = facts_view(facts)
    asks = [one.attempt_id for one in said if isinstance(one, AskPsp)]
    looks_up = [one.psp_object for one in said if isinstance(one, LookUp)]
    left_out = [one.detail for one in said if isinstance(one, LeftOut)]
    lists = (("asks", asks), ("looks_up", looks_up), ("left_out", left_out))
    view |= {name: list_ for name, list_ in lists if list_}
    return Told(view or {"nothing": True}, facts, seen)


def refusal_view(refusal: Refusal) -> dict[str, Any]:
    view: dict[str, Any] = {"refused": str(refusal.kind)}
    if refusal.decline is not None:
        view["decline"] = decline_view(refusal.decline)
    if refusal.retry_after_s is not None:
        view["retry_after_s"] = refusal.retry_after_s
    return view


def decline_view(decline: Decline) -> list[str]:
    return [str(decline.cls), decline.code, decline.psp_code]


def facts_view(facts: Sequence[Fact]) -> dict[str, Any]:
    views = [fact_view(fact) for fact in facts]
    return {"facts": sorted(views, key=lambda one: (one["kind"], one["id"]))} if views else {}


def fact_view(fact: Fact) -> dict[str, Any]:
    """Only what it says: the attempt where it is not the scenario's, the rest where it is not empty."""
    view: dict[str, Any] = {"kind": str(fact.kind), "id": fact.id, "state": str(fact.state)}
    if fact.attempt_id != ATTEMPT_ID:
        view["attempt_id"] = fact.attempt_id
    if fact.amount is not None:
        view["amount"] = [fact.amount.value, fact.amount.currency]
    if fact.decline is not None:
        view["decline"] = decline_view(fact.decline)
    for name in ("operation_id", "reason", "respond_by", "revision"):
        if getattr(fact, name):
            view[name] = getattr(fact, name)
    return view


def expected_of(step: Step) -> dict[str, Any]:
    """The step's expectation, its facts in the order of a view."""
    expect = dict(step.expect)
    if "facts" in expect:
        expect["facts"] = sorted(expect["facts"], key=lambda one: (one["kind"], one["id"]))
    return expect
