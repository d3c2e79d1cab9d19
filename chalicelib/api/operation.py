"""One table of operations: the Chalice routes and the OpenAPI document are both made of it, so they can not differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from chalicelib.identity.caller import Caller

if TYPE_CHECKING:
    from chalicelib.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked: token, scope, body and query are good when a handler sees it.

    `params` are the path's, percent-decoded; `headers` have lower-case names; `document` is the body as parsed JSON;
    `raw_query` is the query as it was sent, or written anew where the server does not tell how it was.
    """

    wiring: Wiring
    request_id: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    raw_body: bytes
    document: Any = None
    body: Any = None
    query: Any = None
    caller: Caller | None = None
    idempotency_key: str | None = None
    if_match: int | None = None
    raw_query: str = field(default="", repr=False)

    @property
    def merchant_id(self) -> str:
        assert self.caller is not None, "an operation without a scope has no merchant account"
        return self.caller.merchant_id


@dataclass(frozen=True, slots=True)
class Answer:
    """`body`: bytes are sent as they are, anything else as JSON; None is an empty body."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Operation:
    """`body_optional`: an empty body stands for ``{}``. `answers` maps a status to the model of its body (None for an
    empty one); `any_query` says that its caller alone knows what the query says; `problems` lists the error statuses
    beyond those that follow from the other fields. `example` is the body's; `answer_examples` holds those answers' that
    are not their model's example in `openapi_examples`."""

    method: str
    path: str
    name: str
    summary: str
    handler: Handler
    tag: str
    scope: str | None = None
    body: type[BaseModel] | None = None
    body_optional: bool = False
    query: type[BaseModel] | None = None
    any_query: bool = False
    answers: Mapping[int, type[BaseModel] | None] = field(default_factory=dict)
    problems: tuple[int, ...] = ()
    idempotency_key: bool = False
    if_match: bool = False
    example: Any = None
    answer_examples: Mapping[int, Any] = field(default_factory=dict)
    description: str = ""
    media_type: str = "application/json"
    documented: bool = True
    refuses_card_numbers: bool = False


OPERATIONS: list[Operation] = []


def operation(method: str, path: str, **described: Any) -> Callable[[Handler], Handler]:
    """Registers a handler. The keyword arguments are `Operation`'s fields; `name` is the handler's."""

    def register(handler: Handler) -> Handler:
        OPERATIONS.append(Operation(method, path, name=handler.__name__, handler=handler, **described))
        return handler

    return register
