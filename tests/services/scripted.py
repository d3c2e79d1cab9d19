"""A connector that says, call by call, what a test wants it to say; what it was asked is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import BaseModel

from chalicelib import telemetry
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder
from chalicelib.contracts.connector import Capabilities
from chalicelib.contracts.conversation import Conversation
from chalicelib.outbound.driver import Deadline
from chalicelib.services.configuration import LiveConnection
from tests.psp import SimulatedConnector
from tests.world import PlainDriver, World

Asked = tuple[str, CheckoutOrder | AttemptRef | MoneyOrder]


class Scripted:
    """`said` is given out in turn; an exception is raised. `asked` are (verb, what it was given) of each call, `bound` what a
    line of the log would have told then."""

    name: ClassVar[str] = "scripted"
    settings: ClassVar[type[BaseModel]] = SimulatedConnector.settings

    def __init__(self, *said: Any, capabilities: Capabilities = SimulatedConnector.capabilities) -> None:
        self.said, self.capabilities = list(said), capabilities
        self.asked: list[Asked] = []
        self.bound: list[dict[str, Any]] = []

    def _say(self, verb: str, given: Any) -> Conversation[Any]:
        self.asked.append((verb, given))
        self.bound.append(telemetry.bound())
        said = self.said.pop(0)
        if isinstance(said, Exception):
            raise said
        return said
        yield

    def open_checkout(self, order: CheckoutOrder) -> Conversation[Any]:
        return self._say("open", order)

    def fetch(self, attempt: AttemptRef) -> Conversation[Any]:
        return self._say("fetch", attempt)

    def capture(self, order: MoneyOrder) -> Conversation[Any]:
        return self._say("capture", order)

    def release_rest(self, order: MoneyOrder) -> Conversation[Any]:
        return self._say("release_rest", order)

    def cancel(self, order: MoneyOrder) -> Conversation[Any]:
        return self._say("cancel", order)

    def refund(self, order: MoneyOrder) -> Conversation[Any]:
        return self._say("refund", order)

    @property
    def verbs(self) -> Sequence[str]:
        return [verb for verb, _ in self.asked]


class Noting(PlainDriver):
    """Keeps whether each conversation was to have a connection of its own, and what time it was given."""

    def __init__(self) -> None:
        self.fresh: list[bool] = []
        self.left_s: list[float] = []

    def converse(self, conversation: Conversation[Any], deadline: Deadline, *, fresh: bool = False) -> Any:
        self.fresh.append(fresh)
        self.left_s.append(deadline.left_s())
        return super().converse(conversation, deadline, fresh=fresh)


class Left(Deadline):
    """A budget of which so much is left."""

    def __init__(self, left_s: float) -> None:
        self._left_s = left_s

    def left_s(self) -> float:
        return self._left_s


def speaking(world: World, connector: Scripted, secrets: tuple[str, ...] = ()) -> LiveConnection:
    """The world's psp-1 with that connector."""
    return replace(world.configuration.connection("default", "psp-1"), connector=connector, secrets=secrets)  # type: ignore[arg-type]
