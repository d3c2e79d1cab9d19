"""PSPs that keep books of their own in a test, over HTTP: what they were asked, and how they go wrong when a test says so.

A PSP's own `peer.py` says what it answers, from its specification. `serving` leads the real driver to it.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from chalicelib.contracts.conversation import HttpRequest, HttpResponse
from chalicelib.outbound.driver import Deadline, Driver
from tests.conformance.connectors.answering import Answer, Call, Fault, answering, led_to

Json = dict[str, Any]
Said = tuple[int, Any]


class No(Exception):
    """An error of the PSP's: its status, and the PSP's word for it."""

    def __init__(self, status: int, word: str) -> None:
        super().__init__(word)
        self.status, self.word = status, word


@dataclass
class Peer:
    """An account at a PSP whose addresses are `hosts`.

    `asked` are the first lines of all calls, without their queries. `down`: calls that are answered 503 and not carried out,
    as beginnings of their first lines. `refuses`: what a call that is to change something is refused with, by the end of its
    path.
    """

    hosts: ClassVar[tuple[str, ...]]
    calls: ClassVar[Mapping[str, Callable[..., Any]]]
    """What each call does, by a pattern of its first line: a method of the peer's, given the pattern's groups first."""

    now: Callable[[], datetime]
    asked: list[str] = field(init=False, default_factory=list)
    down: tuple[str, ...] = field(init=False, default=())
    refuses: dict[str, Any] = field(init=False, default_factory=dict)
    numbers: Iterator[int] = field(init=False, default_factory=lambda: itertools.count(1))
    _silent: dict[str, float] = field(init=False, default_factory=dict)

    @property
    def settings(self) -> Json:
        """Those of a connection to this account."""
        raise NotImplementedError

    def serves(self, headers: Mapping[str, str]) -> bool:
        """Whether it is this account's call: several have one address."""
        return True

    def answer(self, call: Call) -> Said:
        """A status, and what is sent as JSON; bytes as they are, and nothing for None. Raises No."""
        raise NotImplementedError

    def error_of(self, no: No) -> Json:
        raise NotImplementedError

    def carry_out(self, line: str, *given: Any) -> Any:
        """Raises No, 404, for a call that the PSP has not."""
        for pattern, do in self.calls.items():
            if found := re.fullmatch(pattern, line):
                return do(self, *found.groups(), *given)
        raise No(404, "unknown_path")

    def refusal(self, call: Call) -> Any:
        """What the call is refused with; None where it is not."""
        return next((why for end, why in self.refuses.items() if _changes(call, end)), None)

    @contextmanager
    def silent(self, end: str, times: float = math.inf) -> Iterator[None]:
        """Within it calls that change something, to paths that end so, are carried out and not answered: the first `times`."""
        self.falls_silent(end, times)
        try:
            yield
        finally:
            self.speaks()

    def falls_silent(self, end: str, times: float = math.inf) -> None:
        """As `silent`, until it `speaks` again."""
        self._silent[end] = times

    def speaks(self) -> None:
        self._silent.clear()

    def said(self, call: Call) -> Answer | Fault:
        self.asked.append(call.line)
        if self.down and call.line.startswith(self.down):
            return Fault.DOWN
        try:
            status, said = self.answer(call)
        except No as no:
            status, said = no.status, self.error_of(no)
        for end, times in self._silent.items():
            if _changes(call, end) and times > 0:
                self._silent[end] -= 1
                return Fault.RESET
        return Answer(status, {"Date": format_datetime(self.now(), usegmt=True)}, _bytes_of(said))


def _changes(call: Call, end: str) -> bool:
    return call.method != "GET" and call.line.endswith(end)


def _bytes_of(said: Any) -> bytes:
    if said is None or isinstance(said, bytes):
        return said or b""
    return json.dumps(said).encode()


class PeerDriver(Driver):
    """The real driver; the PSP's own hosts, and no others, lead to the peers. `requests` are those that the connector made."""

    def __init__(self, url: str, hosts: tuple[str, ...]) -> None:
        super().__init__(call_timeout_s=5)
        self._url, self._hosts = url, hosts
        self.requests: list[HttpRequest] = []

    def _send(self, request: HttpRequest, deadline: Deadline) -> HttpResponse:
        parts = urlsplit(request.url)
        assert parts.scheme == "https", request.url
        assert parts.netloc in self._hosts, request.url
        self.requests.append(request)
        return super()._send(led_to(self._url, request), deadline)


@contextmanager
def serving(*peers: Peer) -> Iterator[PeerDriver]:
    """The real driver, led to accounts at one PSP."""
    lock = threading.Lock()

    def answer(call: Call) -> Answer | Fault:
        with lock:
            return next(one for one in peers if one.serves(call.headers)).said(call)

    with answering(answer) as url:
        yield PeerDriver(url, peers[0].hosts)
