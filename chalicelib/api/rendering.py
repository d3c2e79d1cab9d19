"""Answers to checkouts, as they are stored for repeats: byte for byte."""

from __future__ import annotations

import json

from chalicelib.api.operation import Call
from chalicelib.api.problem import problem
from chalicelib.domain.fold import fold
from chalicelib.domain.payment import Payment
from chalicelib.domain.view import view_of
from chalicelib.services.checkout import Render, Rendered, Verdict

_PROBLEM_OF = {
    Verdict.DECLINED: (402, "declined", "Every PSP that was asked declined the payment; the attempts say why."),
    Verdict.FAILED: (502, "no-psp-answered", "No PSP could open a checkout; the attempts say why."),
    Verdict.IN_DOUBT: (
        202,
        "outcome-unknown",
        "It is not known yet whether a PSP opened a checkout; it is being asked about. Repeat with the same key.",
    ),
}


def payment_json(payment: Payment) -> str:
    return json.dumps(view_of(payment, fold(payment)), ensure_ascii=False, separators=(",", ":"))


def checkout_renderer(call: Call) -> Render:
    """Renders the answer to one call: a payment where it is opened or in doubt, a problem with the payment otherwise."""

    def render(payment: Payment, verdict: Verdict) -> Rendered:
        if verdict is Verdict.OPENED:
            return Rendered(201, payment_json(payment))
        if verdict is Verdict.IN_DOUBT:
            return Rendered(202, payment_json(payment))
        status, slug, detail = _PROBLEM_OF[verdict]
        body = problem(
            slug,
            status,
            detail,
            public_url=call.wiring.ports.public_url,
            instance=call.path,
            request_id=call.request_id,
            payment=view_of(payment, fold(payment)),
        )
        return Rendered(status, body.decode())

    return render
