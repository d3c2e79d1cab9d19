"""Answers to checkouts, as they are stored for repeats: byte for byte."""

from __future__ import annotations

from pydantic_core import to_json

from chalicelib.api.operation import Call
from chalicelib.api.problem import problem
from chalicelib.domain.fold import Folded, fold
from chalicelib.domain.operation import Operation
from chalicelib.domain.payment import Json, Payment
from chalicelib.domain.view import operation_view, view_of
from chalicelib.services.turns import Render, Rendered, Verdict

_PROBLEM_OF = {
    Verdict.DECLINED: (402, "declined", "Every PSP that was asked declined the payment; the attempts say why."),
    Verdict.FAILED: (502, "no-psp-answered", "No PSP could open a checkout; the attempts say why."),
}


def payment_json(payment: Payment) -> str:
    return _json(view_of(payment, fold(payment)))


def operation_json(operation: Operation, folded: Folded) -> str:
    return _json(operation_view(operation, folded))


def _json(document: Json) -> str:
    return to_json(document).decode()


def checkout_renderer(call: Call) -> Render:
    """Renders the answer to one call: a payment where it is opened or in doubt, a problem with the payment otherwise."""

    def render(payment: Payment, folded: Folded, verdict: Verdict) -> Rendered:
        if verdict is Verdict.OPENED:
            return Rendered(201, _json(view_of(payment, folded)))
        if verdict is Verdict.IN_DOUBT:
            return Rendered(202, _json(view_of(payment, folded)))
        status, slug, detail = _PROBLEM_OF[verdict]
        body = problem(
            slug,
            status,
            detail,
            public_url=call.wiring.ports.public_url,
            instance=call.path,
            request_id=call.request_id,
            payment=view_of(payment, folded),
        )
        return Rendered(status, body.decode())

    return render
