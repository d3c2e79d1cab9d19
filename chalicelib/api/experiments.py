"""The results of a route's A/B tests."""

from __future__ import annotations

from chalicelib.api.models_experiments import ExperimentQuery, ExperimentsModel
from chalicelib.api.operation import Answer, Call, operation
from chalicelib.services.experiment_view import results_view
from chalicelib.services.experiments import read_experiments


@operation(
    "GET",
    "/v1/routes/{name}/experiments",
    summary="Read the results of a route's splits",
    description="Each arm by itself, and beside the control arm. Looking early, and often, does not mislead.",
    tag="Routes",
    scope="config:read",
    query=ExperimentQuery,
    answers={200: ExperimentsModel},
)
def read_route_experiments(call: Call) -> Answer:
    query: ExperimentQuery = call.query
    name = call.params["name"]
    return Answer(
        200, results_view(read_experiments(call.wiring.ports, call.merchant_id, name, query.version, query.from_))
    )
