"""A connection's webhook: what to enter at the PSP, or having it made there."""

from __future__ import annotations

from dataclasses import asdict

from chalicelib.api.configured import actor_of
from chalicelib.api.connections import TAG
from chalicelib.api.models_configuration import ConnectionTestModel, WebhookSetupModel
from chalicelib.api.operation import Answer, Call, operation
from chalicelib.services.webhook_setup import create_webhook, webhook_setup


@operation(
    "GET",
    "/v1/connections/{id}/webhook",
    summary="Read what to enter at the PSP",
    description="The address of the connection's webhooks, what to subscribe to, and where the PSP shows its secret.",
    tag=TAG,
    scope="config:read",
    answers={200: WebhookSetupModel},
    problems=(409,),
)
def read_webhook_setup(call: Call) -> Answer:
    found = webhook_setup(call.wiring.ports, call.merchant_id, call.params["id"])
    return Answer(200, {**asdict(found.setup), "events": list(found.setup.events), "has_secret": found.has_secret})


@operation(
    "POST",
    "/v1/connections/{id}/webhook",
    summary="Have the PSP make the webhook",
    description="Where the PSP's API can. Its secret is sealed with the connection; 409 where there is one already.",
    tag=TAG,
    scope="config:write",
    answers={200: ConnectionTestModel},
    problems=(409,),
)
def make_webhook(call: Call) -> Answer:
    made = create_webhook(call.wiring.ports, actor_of(call), call.merchant_id, call.params["id"])
    call.wiring.configuration.forget()
    return Answer(200, asdict(made))
