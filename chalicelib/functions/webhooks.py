"""The function that the Internet reaches by its URL: PSPs' webhooks and shoppers' returns, and nothing else."""

from __future__ import annotations

import base64
import logging
from typing import Any
from urllib.parse import unquote

from chalicelib.api import problem
from chalicelib.api.route_table import RouteTable
from chalicelib.domain.errors import STATUS_OF, NotFound, PaymentServerError
from chalicelib.functions.invocation import Context, invocation
from chalicelib.functions.wired import wired
from chalicelib.services.returns import come_back

log = logging.getLogger("paymentserver.functions")
WEBHOOK, RETURN = "/webhooks/{merchant_id}/{connection_id}", "/returns/{token}"
ROUTES = RouteTable({WEBHOOK: ("POST",), RETURN: ("GET",)})
ALWAYS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def handle(event: dict[str, Any], context: Context) -> dict[str, Any]:
    with invocation("webhooks", context) as fields:
        path = event["rawPath"]
        try:
            status, headers, body = _served(event, path)
        except PaymentServerError as error:
            status, headers = STATUS_OF[type(error)], {"content-type": problem.CONTENT_TYPE}
            document = problem.problem(
                error.slug,
                status,
                error.detail,
                public_url=wired().settings.public_url,
                instance=path[:500],
                request_id=context.aws_request_id,
            )
            body = document.decode()
        fields["http_status"] = status
        return {"statusCode": status, "headers": {**ALWAYS, **headers}, "body": body, "isBase64Encoded": False}


def _served(event: dict[str, Any], path: str) -> tuple[int, dict[str, str], str]:
    match = ROUTES.match(path)
    if match is None or event["requestContext"]["http"]["method"] not in match.methods:
        raise NotFound("No operation has this path.")
    params = {name: unquote(value) for name, value in match.params.items()}
    if match.pattern == RETURN:
        return 303, {"location": come_back(wired().ports, params["token"])}, ""
    text = event.get("body") or ""
    body = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    headers = {name.lower(): value for name, value in event["headers"].items()}
    told = wired().intake.take(params["merchant_id"], params["connection_id"], headers, body)
    return told.status, {"content-type": told.content_type}, told.body
