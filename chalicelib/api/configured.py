"""What all operations on the configuration share: who acts, the ETag, and that this process sees a change at once."""

from __future__ import annotations

from chalicelib.api.operation import Answer, Call
from chalicelib.domain.payment import Json
from chalicelib.services.audit import Actor


def actor_of(call: Call) -> Actor:
    assert call.caller is not None, "changes need a token"
    return Actor(call.caller.subject, call.caller.client_id, call.request_id)


def expected_of(call: Call) -> int:
    assert call.if_match is not None, "the operation asks for If-Match"
    return call.if_match


def versioned(shown: dict[str, Json], status: int = 200) -> Answer:
    """An object with its version as a strong ETag."""
    return Answer(status, shown, {"ETag": f'"{shown["version"]}"'})


def changed(call: Call, shown: dict[str, Json], status: int = 200) -> Answer:
    call.wiring.configuration.forget()
    return versioned(shown, status)


def deleted(call: Call) -> Answer:
    call.wiring.configuration.forget()
    return Answer(204)
