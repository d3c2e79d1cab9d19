"""POST /v1/checkouts."""

from __future__ import annotations

import hashlib
import json

from chalicelib import telemetry
from chalicelib.api.models import PaymentModel
from chalicelib.api.models_checkout import CHECKOUT_EXAMPLE, CheckoutRequest, order_of
from chalicelib.api.openapi_examples_payments import IN_DOUBT
from chalicelib.api.operation import Answer, Call, operation
from chalicelib.api.problem import CONTENT_TYPE
from chalicelib.api.rendering import checkout_renderer
from chalicelib.services.turns import Answer as Settled


def fingerprint_of(method: str, path: str, document: object) -> str:
    """What makes two calls with one key the same: method, path, and the body's JSON with sorted keys, before defaults."""
    canonical = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{method}\n{path}\n{canonical}".encode()).hexdigest()


@operation(
    "POST",
    "/v1/checkouts",
    summary="Open a checkout at a PSP",
    description="Chooses a PSP by the route, opens a hosted checkout there and answers with the page to send the shopper to.",
    tag="Payments",
    scope="payments:write",
    body=CheckoutRequest,
    answers={201: PaymentModel, 202: PaymentModel},
    problems=(402, 409, 502),
    idempotency_key=True,
    refuses_card_numbers=True,
    example=CHECKOUT_EXAMPLE,
    answer_examples={202: IN_DOUBT},
)
def create_checkout(call: Call) -> Answer:
    assert call.idempotency_key is not None
    answer = call.wiring.checkout.open(
        call.merchant_id,
        call.idempotency_key,
        fingerprint_of("POST", "/v1/checkouts", call.document),
        order_of(call.body),
        checkout_renderer(call),
    )
    telemetry.count("checkouts_total", outcome=str(answer.rendered.status))
    return answer_of(answer)


def answer_of(answer: Settled) -> Answer:
    """The answer to a checkout or a retry, as it was settled on."""
    status = answer.rendered.status
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else {}
    if status == 202:
        headers["Retry-After"] = "10"
    content_type = "application/json" if status in (201, 202) else CONTENT_TYPE
    return Answer(status, answer.rendered.body, headers, content_type)
