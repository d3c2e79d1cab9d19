"""What the Internet may reach: PSPs' webhooks and shoppers' returns."""

from __future__ import annotations

from chalicelib.api.operation import Answer, Call, operation
from chalicelib.services.returns import come_back


@operation(
    "POST",
    "/webhooks/{merchant_id}/{connection_id}",
    summary="Take a PSP's webhook",
    description="Answers what the PSP expects once the event is durably queued; 400 for one its PSP did not sign.",
    tag="PSPs and shoppers",
    answers={200: None},
    problems=(400, 404, 413, 503),
    media_type="text/plain",
)
def take_webhook(call: Call) -> Answer:
    told = call.wiring.intake.take(
        call.params["merchant_id"], call.params["connection_id"], call.headers, call.raw_body
    )
    return Answer(told.status, told.body, {}, told.content_type)


@operation(
    "GET",
    "/returns/{token}",
    summary="Send a returning shopper on to the shop",
    tag="PSPs and shoppers",
    answers={303: None},
    problems=(404,),
)
def return_shopper(call: Call) -> Answer:
    return Answer(303, None, {"Location": come_back(call.wiring.ports, call.params["token"])})
