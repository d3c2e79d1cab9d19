"""Routes: which PSPs are tried in which order."""

from __future__ import annotations

from dataclasses import asdict

from chalicelib.api.configured import actor_of, changed, deleted, expected_of, versioned
from chalicelib.api.listing import PageQuery, list_answer
from chalicelib.api.models_routing import (
    ActivationRequest,
    ComparisonQuery,
    FindingsModel,
    RouteComparisonModel,
    RouteList,
    RouteModel,
    RouteVersionList,
    RouteVersionModel,
    SavedRouteModel,
)
from chalicelib.api.operation import Answer, Call, operation
from chalicelib.domain.errors import NotFound
from chalicelib.domain.payment import Json
from chalicelib.routing.compare import differences
from chalicelib.routing.lint import Finding, Severity
from chalicelib.routing.rules import RouteBody, RouteChange, RouteDraft, document_of
from chalicelib.services import configure_routes as configure
from chalicelib.services.configured_view import route_version_view, route_view

TAG = "Routes"
CHANGE_EXAMPLE = {
    "rules": [
        {
            "name": "Dutch iDEAL",
            "when": {
                "all": [
                    {"field": "country", "op": "eq", "value": "NL"},
                    {"field": "payment_method", "op": "eq", "value": "ideal"},
                ]
            },
            "then": {"use": ["sandbox-b", "sandbox-a"]},
        }
    ],
    "otherwise": {"use": ["sandbox-a", "sandbox-b"]},
    "unanswered": "hold",
}


def saved_view(saved: configure.Saved) -> dict[str, Json]:
    return {**route_view(saved.route), "warnings": [asdict(one) for one in saved.warnings]}


@operation(
    "GET",
    "/v1/routes",
    summary="List routes, the newest first",
    tag=TAG,
    scope="config:read",
    query=PageQuery,
    answers={200: RouteList},
)
def list_routes(call: Call) -> Answer:
    query: PageQuery = call.query
    page = configure.list_routes(call.wiring.ports, call.merchant_id, after=query.cursor, limit=query.limit)
    return list_answer(page, route_view)


@operation(
    "POST",
    "/v1/routes",
    summary="Create a route",
    description="A route that was deleted comes back at its next version.",
    tag=TAG,
    scope="config:write",
    body=RouteBody,
    answers={201: SavedRouteModel},
    problems=(409,),
    example={"name": "backup", **CHANGE_EXAMPLE},
)
def create_route(call: Call) -> Answer:
    made = configure.create_route(call.wiring.ports, actor_of(call), call.merchant_id, call.body)
    return changed(call, saved_view(made), 201)


@operation(
    "GET",
    "/v1/routes/{name}",
    summary="Read a route",
    tag=TAG,
    scope="config:read",
    answers={200: RouteModel},
)
def read_route(call: Call) -> Answer:
    return versioned(route_view(configure.read_route(call.wiring.ports, call.merchant_id, call.params["name"])))


@operation(
    "PUT",
    "/v1/routes/{name}",
    summary="Change a route",
    description="Payments that were routed before keep the version they were routed by.",
    tag=TAG,
    scope="config:write",
    body=RouteChange,
    answers={200: SavedRouteModel},
    if_match=True,
    example=CHANGE_EXAMPLE,
)
def update_route(call: Call) -> Answer:
    made = configure.update_route(
        call.wiring.ports, actor_of(call), call.merchant_id, call.params["name"], call.body, expected_of(call)
    )
    return changed(call, saved_view(made))


@operation(
    "DELETE",
    "/v1/routes/{name}",
    summary="Delete a route",
    tag=TAG,
    scope="config:write",
    answers={204: None},
    if_match=True,
)
def delete_route(call: Call) -> Answer:
    configure.delete_route(call.wiring.ports, actor_of(call), call.merchant_id, call.params["name"], expected_of(call))
    return deleted(call)


@operation(
    "GET",
    "/v1/routes/{name}/versions",
    summary="List a route's versions, the newest first",
    tag=TAG,
    scope="config:read",
    query=PageQuery,
    answers={200: RouteVersionList},
)
def list_route_versions(call: Call) -> Answer:
    query: PageQuery = call.query
    page = configure.list_versions(
        call.wiring.ports, call.merchant_id, call.params["name"], after=query.cursor, limit=query.limit
    )
    return list_answer(page, route_version_view)


@operation(
    "GET",
    "/v1/routes/{name}/versions/{version}",
    summary="Read one version of a route",
    tag=TAG,
    scope="config:read",
    answers={200: RouteVersionModel},
)
def read_route_version(call: Call) -> Answer:
    number, name = call.params["version"], call.params["name"]
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise NotFound("A version is a number such as 3.")
    return Answer(
        200, route_version_view(configure.read_version(call.wiring.ports, call.merchant_id, name, int(number)))
    )


@operation(
    "GET",
    "/v1/routes/{name}/comparisons",
    summary="Compare two versions of a route",
    description="Rules are told apart by their names.",
    tag=TAG,
    scope="config:read",
    query=ComparisonQuery,
    answers={200: RouteComparisonModel},
)
def compare_route_versions(call: Call) -> Answer:
    query: ComparisonQuery = call.query
    name = call.params["name"]
    before, after = (
        configure.read_version(call.wiring.ports, call.merchant_id, name, number).document
        for number in (query.from_, query.to)
    )
    found = [asdict(one) for one in differences(before, after)]
    return Answer(200, {"from": query.from_, "to": query.to, "differences": found})


@operation(
    "POST",
    "/v1/routes/{name}/activations",
    summary="Make an earlier version of a route the newest again",
    description="It becomes a new version; payments under way keep theirs.",
    tag=TAG,
    scope="config:write",
    body=ActivationRequest,
    answers={201: SavedRouteModel},
    example={"version": 2},
)
def activate_route_version(call: Call) -> Answer:
    body: ActivationRequest = call.body
    made = configure.activate_version(
        call.wiring.ports, actor_of(call), call.merchant_id, call.params["name"], body.version
    )
    return changed(call, saved_view(made), 201)


@operation(
    "POST",
    "/v1/routes/{name}/lints",
    summary="Check a route without saving it",
    description="The route need not exist yet.",
    tag=TAG,
    scope="config:read",
    body=RouteDraft,
    answers={200: FindingsModel},
    example=CHANGE_EXAMPLE,
)
def lint_route(call: Call) -> Answer:
    document = document_of(call.params["name"], call.body)
    found = configure.findings_of(call.wiring.ports, call.merchant_id, document)
    return Answer(200, findings_view(found))


def findings_view(found: list[Finding]) -> dict[str, Json]:
    return {f"{severity}s": [asdict(one) for one in found if one.severity is severity] for severity in Severity}
