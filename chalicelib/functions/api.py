"""The API's function: Chalice answers API Gateway's event; here is what is logged and what every answer carries."""

from __future__ import annotations

from typing import Any

from chalicelib.api.application import create_app
from chalicelib.functions.invocation import Context, invocation
from chalicelib.functions.wired import wired

ALWAYS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_app = create_app(wired)


def handle(event: dict[str, Any], context: Context) -> dict[str, Any]:
    with invocation("api", context) as fields:
        about = event.get("requestContext") or {}
        fields["route"] = f"{about.get('httpMethod')} {about.get('resourcePath')}"
        answer: dict[str, Any] = _app(event, context)
        fields["http_status"] = answer["statusCode"]
        answer["headers"] = {**ALWAYS, **answer["headers"]}
        return answer
