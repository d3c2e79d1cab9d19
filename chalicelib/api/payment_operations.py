"""Captures, cancellations, refunds, retries, syncs and resolutions of a payment."""

from __future__ import annotations

from chalicelib import telemetry
from chalicelib.api.card_numbers import refuse_card_numbers
from chalicelib.api.checkouts import answer_of, fingerprint_of
from chalicelib.api.configured import actor_of
from chalicelib.api.models import OperationModel, PaymentModel
from chalicelib.api.models_operations import (
    CancellationRequest,
    CaptureRequest,
    RefundRequest,
    ResolutionRequest,
    RetryRequest,
)
from chalicelib.api.openapi_examples_payments import IN_DOUBT, UNKNOWN_OPERATION
from chalicelib.api.operation import Answer, Call, operation
from chalicelib.api.payments import payment_of
from chalicelib.api.rendering import checkout_renderer, operation_json, payment_json
from chalicelib.domain.fold import Folded
from chalicelib.domain.operation import Operation, OperationKind, OperationStatus
from chalicelib.services.operate import Keyed
from chalicelib.services.reserve import Wanted
from chalicelib.services.resolve import Said
from chalicelib.services.turns import Rendered

_UNKNOWN_AGAIN_S = "10"
_ABOUT_UNKNOWN = (
    "202 says that the PSP gave no usable answer: the amount stays reserved, the PSP is asked, and the same call with "
    "the same key answers 202 until the outcome is known, then with that."
)


def _keyed(call: Call) -> Keyed:
    assert call.idempotency_key is not None, "the operation asks for the key"
    refuse_card_numbers(call.document)
    fingerprint = fingerprint_of("POST", call.path, call.document)
    return Keyed(call.merchant_id, call.params["id"], call.idempotency_key, fingerprint)


def _render(operation: Operation, folded: Folded) -> Rendered:
    status = 202 if folded.operations[operation.id] is OperationStatus.UNKNOWN else 201
    return Rendered(status, operation_json(operation, folded))


def _operate(call: Call, wanted: Wanted) -> Answer:
    answer = call.wiring.operate.operate(_keyed(call), wanted, _render)
    telemetry.count("operations_total", kind=wanted.kind, outcome=str(answer.rendered.status))
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else {}
    if answer.rendered.status == 202:
        headers["Retry-After"] = _UNKNOWN_AGAIN_S
    return Answer(answer.rendered.status, answer.rendered.body, headers)


@operation(
    "POST",
    "/v1/payments/{id}/captures",
    summary="Capture authorized money",
    description=_ABOUT_UNKNOWN,
    tag="Payments",
    scope="payments:write",
    body=CaptureRequest,
    body_optional=True,
    answers={201: OperationModel, 202: OperationModel},
    answer_examples={202: UNKNOWN_OPERATION},
    idempotency_key=True,
    example={"amount": {"value": 1050, "currency": "EUR"}, "final": True},
)
def capture_payment(call: Call) -> Answer:
    body: CaptureRequest = call.body
    amount = body.amount.money() if body.amount else None
    return _operate(call, Wanted(OperationKind.CAPTURE, amount, body.attempt_id, final=body.final))


@operation(
    "POST",
    "/v1/payments/{id}/cancellations",
    summary="Give a payment up, or authorized money back",
    description="Held money is given back. An unpaid payment is closed at its PSPs; where that can't be, money that "
    f"comes all the same is refunded. {_ABOUT_UNKNOWN}",
    tag="Payments",
    scope="payments:write",
    body=CancellationRequest,
    body_optional=True,
    answers={201: OperationModel, 202: OperationModel},
    answer_examples={202: UNKNOWN_OPERATION},
    idempotency_key=True,
    example={"reason": "out of stock"},
)
def cancel_payment(call: Call) -> Answer:
    body: CancellationRequest = call.body
    return _operate(call, Wanted(OperationKind.CANCELLATION, None, body.attempt_id, body.reason))


@operation(
    "POST",
    "/v1/payments/{id}/refunds",
    summary="Refund captured money",
    description=_ABOUT_UNKNOWN,
    tag="Payments",
    scope="refunds:write",
    body=RefundRequest,
    body_optional=True,
    answers={201: OperationModel, 202: OperationModel},
    answer_examples={202: UNKNOWN_OPERATION},
    idempotency_key=True,
    example={"amount": {"value": 525, "currency": "EUR"}, "reason": "one book came back"},
)
def refund_payment(call: Call) -> Answer:
    body: RefundRequest = call.body
    amount = body.amount.money() if body.amount else None
    return _operate(call, Wanted(OperationKind.REFUND, amount, body.attempt_id, body.reason))


@operation(
    "POST",
    "/v1/payments/{id}/retries",
    summary="Try another PSP for an unpaid payment",
    description="Earlier pages are closed at their PSPs first. The next untried PSP of the route's chain is taken, else the "
    "chain again without those that declined for good.",
    tag="Payments",
    scope="payments:write",
    body=RetryRequest,
    body_optional=True,
    answers={201: PaymentModel, 202: PaymentModel},
    answer_examples={202: IN_DOUBT},
    problems=(402, 409, 502),
    idempotency_key=True,
    example={"connection_id": "sandbox-b"},
)
def retry_payment(call: Call) -> Answer:
    body: RetryRequest = call.body
    answer = call.wiring.retrying.retry(_keyed(call), body.connection_id, body.supersede, checkout_renderer(call))
    telemetry.count("retries_total", outcome=str(answer.rendered.status))
    return answer_of(answer)


@operation(
    "POST",
    "/v1/payments/{id}/syncs",
    summary="Ask the PSPs about a payment now",
    description="A PSP that can not be reached now is asked again soon; the timeline tells.",
    tag="Payments",
    scope="payments:write",
    answers={200: PaymentModel},
)
def sync_payment(call: Call) -> Answer:
    payment = payment_of(call, call.params["id"])
    return Answer(200, payment_json(call.wiring.attend.sync(payment.id)))


@operation(
    "POST",
    "/v1/payments/{id}/resolutions",
    summary="Say what you found out about a payment in doubt",
    description="For payments that no PSP's word settles. What you say is told in the timeline and kept in the audit log.",
    tag="Operations",
    scope="config:write",
    body=ResolutionRequest,
    answers={201: PaymentModel},
    problems=(409,),
    example={
        "attempt_id": "att_mfrggzdfmztwq2lknnwg23tp_01",
        "outcome": "accept",
        "note": "The bank confirms 10.51 EUR.",
    },
)
def resolve_payment(call: Call) -> Answer:
    body: ResolutionRequest = call.body
    said = Said(body.attempt_id, body.outcome, body.note, body.operation_id, body.psp_reference)
    payment = call.wiring.resolve.resolve(call.merchant_id, call.params["id"], said, actor_of(call))
    return Answer(201, payment_json(payment))
