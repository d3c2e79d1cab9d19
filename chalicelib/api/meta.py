"""What describes the server itself: the OpenAPI document, its pages, and whether it is well."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel

from chalicelib.api import docs, health
from chalicelib.api.models import Shown
from chalicelib.api.openapi import document_bytes
from chalicelib.api.operation import Answer, Call, operation
from chalicelib.api.page import PAGE_HEADERS, page_of
from chalicelib.api.problem import PROBLEMS, TITLE_OF
from chalicelib.domain.errors import NotFound

TAG = "Server"
_LOOPBACK_HOST = re.compile(r"(localhost|127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|\[::1\])(:[0-9]{1,5})?", re.ASCII)


class OpenApiModel(BaseModel):
    """An OpenAPI 3.1 document."""

    openapi: Literal["3.1.0"]
    info: dict[str, Any]
    paths: dict[str, Any]
    components: dict[str, Any]


class LiveModel(Shown):
    status: Literal["ok"]


class CheckModel(Shown):
    name: str
    ok: bool


class ReadyModel(Shown):
    status: Literal["ok", "unavailable"]
    checks: list[CheckModel]


@operation(
    "GET",
    "/openapi.json",
    summary="Read this document",
    tag=TAG,
    answers={200: OpenApiModel},
    answer_examples={
        200: {"openapi": "3.1.0", "info": {"title": "PaymentServer"}, "paths": {}, "components": {}},
    },
)
def read_openapi(call: Call) -> Answer:
    return Answer(200, document_bytes(call.wiring.ports.public_url, call.wiring.settings.issuer))


@operation(
    "GET",
    "/docs",
    summary="Try the API in a browser",
    description="In development from the machine itself; elsewhere where it is switched on.",
    tag=TAG,
    answers={200: None},
    problems=(404,),
    media_type="text/html",
)
def read_docs(call: Call) -> Answer:
    _allow_docs(call)
    return docs.answer_of("index.html", call.wiring.settings.issuer)


@operation("GET", "/docs/{asset}", summary="A file of `/docs`", tag=TAG, documented=False)
def read_docs_asset(call: Call) -> Answer:
    _allow_docs(call)
    return docs.answer_of(call.params["asset"], call.wiring.settings.issuer)


def _allow_docs(call: Call) -> None:
    """In development a loopback Host alone, so that no other site's name can be pointed here. Raises NotFound."""
    settings = call.wiring.settings
    loopback = _LOOPBACK_HOST.fullmatch(call.headers.get("host", "").lower()) is not None
    if not (settings.docs or (settings.is_development and loopback)):
        raise NotFound("There is no such page.")


@operation(
    "GET",
    "/problems/{slug}",
    summary="Read what a problem means",
    description="The page that the `type` of a problem document names.",
    tag=TAG,
    answers={200: None},
    media_type="text/html",
)
def read_problem(call: Call) -> Answer:
    slug = call.params["slug"]
    if slug not in TITLE_OF:  # the table, not the folder, says what there is: no path can be made up
        raise NotFound("There is no such problem.")
    text = (PROBLEMS / f"{slug}.md").read_text(encoding="utf-8")
    return Answer(200, page_of(text), PAGE_HEADERS, "text/html; charset=utf-8")


@operation(
    "GET",
    "/health/live",
    summary="Is the process alive?",
    tag=TAG,
    answers={200: LiveModel},
    answer_examples={200: {"status": "ok"}},
)
def read_live(call: Call) -> Answer:
    return Answer(200, {"status": "ok"}, {"Cache-Control": "no-store"})


@operation(
    "GET",
    "/health/ready",
    summary="Can requests be served?",
    description="Asks the database, the queue and what else this installation depends on, and whether a stored secret opens "
    "(`vault`); at most once a second.",
    tag=TAG,
    answers={200: ReadyModel, 503: ReadyModel},
    answer_examples={
        200: {"status": "ok", "checks": [{"name": name, "ok": True} for name in ("store", "queue", "vault")]},
        503: {
            "status": "unavailable",
            "checks": [{"name": name, "ok": name != "queue"} for name in ("store", "queue", "vault")],
        },
    },
)
def read_ready(call: Call) -> Answer:
    checks = health.checks_of(call.wiring)
    ready = all(checks.values())
    shown = [{"name": name, "ok": ok} for name, ok in checks.items()]
    body = {"status": "ok" if ready else "unavailable", "checks": shown}
    return Answer(200 if ready else 503, body, {"Cache-Control": "no-store"})
