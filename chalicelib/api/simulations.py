"""Simulating a route: one payment, or those of the last days."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

from chalicelib.api.models_simulation import SimulationModel, SimulationRequest, simulated_order_of
from chalicelib.api.operation import Answer, Call, operation
from chalicelib.api.routes import CHANGE_EXAMPLE, TAG, findings_view
from chalicelib.domain.payment import Decision, Json
from chalicelib.domain.view import route_of, text_of
from chalicelib.routing.explain import DRAFT, explanation_of
from chalicelib.routing.forecast import Estimate
from chalicelib.routing.replay import Choice
from chalicelib.routing.rules import document_of
from chalicelib.services.configure_routes import findings_of
from chalicelib.services.replay import Report, replay_days
from chalicelib.services.simulate import simulate, simulated_route

DIGITS = 4  # of a share: hundredths of a percent
NOTE = (
    "An estimate is no experiment: payments that began at a PSP may be of another sort than those that would move there. "
    "An A/B split tells more."
)


@operation(
    "POST",
    "/v1/routes/{name}/simulations",
    summary="Simulate a route: one payment, or those of the last days",
    description=(
        "Nothing is stored, and no PSP is called. A replay takes what rules saw of each payment, and how able and well its "
        "candidates were, as they were then; connections that were no candidates then, as of today. One call replays for "
        "20 s and looks at 10,000 payments at most; then `next_cursor` leads on."
    ),
    tag=TAG,
    scope="config:read",
    body=SimulationRequest,
    answers={200: SimulationModel},
    example={"days": 30, "draft": CHANGE_EXAMPLE},
)
def simulate_route(call: Call) -> Answer:
    body: SimulationRequest = call.body
    name, ports, candidate = (
        call.params["name"],
        call.wiring.ports,
        partial(call.wiring.try_chain.candidate, looks_only=True),
    )
    draft = None if body.draft is None else document_of(name, body.draft)
    route = simulated_route(ports, call.merchant_id, name, draft)
    payment = replay = next_cursor = None
    if body.payment is not None:
        order = simulated_order_of(body.payment, name)
        decision = simulate(route, candidate, order, body.at or ports.clock.now())
        payment = payment_view(decision, route.document)
    else:
        assert body.days is not None, "the model asks for a payment or for days"
        report = replay_days(ports, candidate, route, body.days, cursor=body.cursor, limit=body.limit)
        replay, next_cursor = report_view(report), report.cursor
    shown = {
        "version": None if route.version == DRAFT else route.version,
        "findings": findings_view(findings_of(ports, call.merchant_id, route.document)),
        "payment": payment,
        "replay": replay,
        "next_cursor": next_cursor,
    }
    return Answer(200, shown)


def payment_view(decision: Decision, document: dict[str, Json]) -> dict[str, Json]:
    return {
        "chain": list(decision.chain),
        "rule": decision.rule,
        "arm": decision.arm,
        "trace": route_of(decision)["trace"],
        "explanation": explanation_of(decision, document),
    }


def report_view(report: Report) -> dict[str, Json]:
    totals = ("read", "untraced", "replayed", "changed", "moved", "untaken", "not_concluded")
    return {
        "from": text_of(report.since),
        "to": text_of(report.until),
        "totals": {name: getattr(report, name) for name in totals},
        "connections": [
            {
                "connection_id": name,
                "before": _count_view(report.before[name], report.replayed),
                "after": _count_view(report.after[name], report.replayed),
            }
            for name in sorted(report.before | report.after)
        ],
        "authorized": _estimate_view(report.authorized.estimate()),
        "authorized_first": _estimate_view(report.at_first.estimate()),
        "note": NOTE,
        "payments": [
            {
                "id": one.payment_id,
                "created_at": text_of(one.created_at),
                "before": _choice_view(one.replayed.before),
                "after": _choice_view(one.replayed.after),
                "why": one.replayed.why,
            }
            for one in report.payments
        ],
    }


def _count_view(payments: int, of: int) -> dict[str, Json]:
    return {"payments": payments, "share": round(payments / of, DIGITS)}


def _estimate_view(estimate: Estimate) -> dict[str, Json]:
    return {name: round(one, DIGITS) if isinstance(one, float) else one for name, one in asdict(estimate).items()}


def _choice_view(choice: Choice) -> dict[str, Json]:
    return {"rule": choice.rule, "arm": choice.arm, "chain": list(choice.chain)}
