"""How a payment stands after a scenario's facts, folded as everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chalicelib.domain.claim import Claim
from chalicelib.domain.facts import Fact, Kind, State, join
from chalicelib.domain.fold import Folded, fold
from chalicelib.domain.money import Money
from chalicelib.domain.operation import Called, Operation, OperationKind, Origin
from chalicelib.domain.payment import Attempt, Decision, Payment
from tests.conformance.connectors.playing import MONEY_CALLS, STARTED_AT, order_of
from tests.conformance.connectors.profile import profile_of
from tests.conformance.connectors.recordings import ATTEMPT_ID, PAYMENT_ID, Scenario, operation_of

_KIND = {"capture": OperationKind.CAPTURE, "cancel": OperationKind.CANCELLATION, "refund": OperationKind.REFUND}


def folded(scenario: Scenario, facts: Iterable[Fact], **changes: Any) -> Folded:
    """`changes` of the order: an amount that was not the one that was asked, say."""
    opened = Fact(ATTEMPT_ID, Kind.OPEN, ATTEMPT_ID, State.OPENED)
    psp_reference = profile_of(scenario.psp).psp_reference
    attempt = Attempt(ATTEMPT_ID, "the-connection", scenario.psp, STARTED_AT, psp_reference)
    payment = Payment(
        id=PAYMENT_ID,
        merchant_id="default",
        order=order_of({**scenario.order, **changes}),
        route=Decision("default", 1, ("the-connection",)),
        claim=Claim("f", None),
        created_at=STARTED_AT,
        updated_at=STARTED_AT,
        attempts=(attempt,),
        operations=tuple(_operations(scenario)),
        facts=join((opened,), facts),
    )
    return fold(payment)


def _operations(scenario: Scenario) -> Iterable[Operation]:
    seen = set()
    for step in scenario.steps:
        key = step.operation.get("key", "a")
        if step.call in MONEY_CALLS and key not in seen:
            seen.add(key)
            amount = Money(*step.operation["amount"]) if step.operation.get("amount") else None
            yield Operation(
                id=operation_of(key),
                kind=_KIND[step.call],
                attempt_id=ATTEMPT_ID,
                amount=amount,
                origin=Origin.API,
                created_at=STARTED_AT,
                final=step.operation.get("final", False),
                called=Called.UNANSWERED,
            )


def stands(scenario: Scenario, batches: Sequence[Iterable[Fact]]) -> dict[str, Any]:
    """The status, the amounts that are not nothing, how operations stand, and how many facts are anomalous if any."""
    facts: tuple[Fact, ...] = ()
    for batch in batches:
        facts = join(facts, batch)
    found = folded(scenario, facts)
    view: dict[str, Any] = {"status": str(found.status)}
    view |= {name: value for name, value in found.amounts._asdict().items() if value}
    if found.operations:
        view["operations"] = [str(status) for status in found.operations.values()]
    if found.anomalies:
        view["anomalies"] = len(found.anomalies)
    return view
