"""What the Internet may reach: PSPs' webhooks and shoppers' returns."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.api.operation import Answer, Call, Handler, operation


def _webhook(method: str, summary: str) -> Callable[[Handler], Handler]:
    return operation(
        method,
        "/webhooks/{merchant_id}/{connection_id}",
        summary=summary,
        description="Answers what the PSP expects once the event is durably queued; 400 for one its PSP did not sign, 405 "
        "where the connection's PSP calls back by another method, 429 where more came than can be verified now.",
        tag="PSPs and shoppers",
        answers={200: None},
        problems=(400, 404, 405, 413, 429, 503),
        media_type="text/plain",
        any_query=True,
    )


@_webhook("POST", "Take a PSP's webhook")
def take_webhook(call: Call) -> Answer:
    return _taken(call, "POST")


@_webhook("GET", "Take the webhook of a PSP that calls back by GET")
def take_callback(call: Call) -> Answer:
    return _taken(call, "GET")


def _taken(call: Call, method: str) -> Answer:
    told = call.wiring.intake.take(
        call.params["merchant_id"],
        call.params["connection_id"],
        call.headers,
        call.raw_body,
        method=method,
        query=call.raw_query,
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
    return Answer(303, None, {"Location": call.wiring.returns.come_back(call.params["token"])})
