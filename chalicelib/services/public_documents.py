"""Public documents that webhooks are verified by, such as a PSP's certificate: asked for within bounds, and kept in the
database once a genuine webhook proved one good.

So the door, which asks nobody and on most machines shares no memory with who does, knows them too, and turns forgeries away.
Who forges webhooks puts nothing here: only what verified a webhook is kept.
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from chalicelib.contracts.conversation import Conversation, HttpRequest, HttpResponse, ReadFailed
from chalicelib.contracts.store import NEW
from chalicelib.domain.errors import Fault, NotFound
from chalicelib.domain.public_document import PublicDocument
from chalicelib.services.allowance import Allowance
from chalicelib.services.kinds import PUBLIC_DOCUMENT, public_document_key
from chalicelib.services.ports import InboundPorts

T = TypeVar("T")
KEPT_BYTES_MAX = 100_000
ASKED_MAX, ASKED_EVERY_S = 60, 2.0  # of each connection's; what several doors let through (services.intake) fits
SILENT_FOR_S = 20.0  # one that did not come is not asked for again so soon
SILENT_MAX = 1_000
log = logging.getLogger("paymentserver.documents")


class PublicDocuments:
    """Thread-safe."""

    def __init__(self, ports: InboundPorts, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ports, self._monotonic = ports, monotonic
        self._asked = Allowance(ASKED_MAX, ASKED_EVERY_S, monotonic)
        self._lock = threading.Lock()
        self._silent_until: dict[str, float] = {}

    def kept(self, request: HttpRequest) -> HttpResponse | None:
        """None where it is not there or too old, and where the database does not say."""
        try:
            found = self._ports.store.get(PUBLIC_DOCUMENT, public_document_key(request.url)).value
        except (NotFound, Fault):
            return None
        age_s = (self._ports.clock.now() - found.had_at).total_seconds()
        body = base64.b64decode(found.body_base64)
        return HttpResponse(200, {}, body) if age_s < request.keeps_s else None

    def search(self, whose: str) -> Search:
        """For one conversation of the connection `whose`."""
        return Search(self, whose)

    def check(self, request: HttpRequest, whose: str) -> None:
        """Raises ReadFailed where it must not be asked for now."""
        if self._monotonic() < self._silent_until.get(request.url, 0.0):
            raise ReadFailed("the PSP did not give the document a moment ago")
        if self._asked.wait_s(whose):
            raise ReadFailed("too many documents were asked for")

    def was_silent(self, request: HttpRequest) -> None:
        with self._lock:
            if len(self._silent_until) >= SILENT_MAX:
                self._silent_until.clear()
            self._silent_until[request.url] = self._monotonic() + SILENT_FOR_S

    def keep(self, url: str, body: bytes) -> None:
        """A database that takes nothing now takes it another time: it is asked for again."""
        if len(body) > KEPT_BYTES_MAX:
            return
        document = PublicDocument(url, base64.b64encode(body).decode(), self._ports.clock.now())
        try:
            try:
                version = self._ports.store.get(PUBLIC_DOCUMENT, public_document_key(url)).version
            except NotFound:
                version = NEW
            self._ports.store.put(PUBLIC_DOCUMENT, document, expect=version)
        except Fault as fault:  # another process was faster, or the database is down
            log.info("a public document was not kept", extra={"fields": {"detail": fault.detail}})


@dataclass
class Search:
    """What one conversation asks for, from the database where it is there."""

    _documents: PublicDocuments
    _whose: str
    _waits_for: HttpRequest | None = None
    _had: dict[str, bytes] = field(default_factory=dict)

    def through(self, conversation: Conversation[T]) -> Conversation[T]:
        """The same conversation, which yields only what has to be asked for. Raises ReadFailed beside what it raises."""
        answer: HttpResponse | None = None
        while True:
            try:
                request = next(conversation) if answer is None else conversation.send(answer)
            except StopIteration as stop:
                for url, body in self._had.items():
                    self._documents.keep(url, body)
                result: T = stop.value
                return result
            answer = self._documents.kept(request) if request.keeps_s else None
            if answer is None:
                answer = yield from self._asked(request)

    def _asked(self, request: HttpRequest) -> Conversation[HttpResponse]:
        if not request.keeps_s:
            return (yield request)
        self._documents.check(request, self._whose)
        self._waits_for = request
        answer = yield request
        self._waits_for = None
        if answer.status == 200:
            self._had[request.url] = answer.body
        return answer

    def over(self) -> None:
        """To be called when the conversation came to an end, whichever."""
        if self._waits_for is not None:
            self._documents.was_silent(self._waits_for)
