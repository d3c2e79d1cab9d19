"""Public documents that webhooks are verified by, such as a PSP's certificate: asked for within bounds, and kept in the
database once a genuine webhook proved one good.

So the door, which asks nobody and on most machines shares no memory with who does, knows them too, and turns forgeries away.
Who forges webhooks puts nothing there: only what verified a webhook is kept. What was asked for on a forger's word is
remembered by this process alone, and gives way to what is proven.
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
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
REMEMBERED_MAX = 32
log = logging.getLogger("paymentserver.documents")


@dataclass(frozen=True, slots=True)
class _Remembered:
    body: bytes
    had_at: datetime
    is_proven: bool  # and so in the database


class PublicDocuments:
    """Thread-safe."""

    def __init__(self, ports: InboundPorts, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ports, self._monotonic = ports, monotonic
        self._asked = Allowance(ASKED_MAX, ASKED_EVERY_S, monotonic)
        self._lock = threading.Lock()
        self._silent_until: dict[str, float] = {}
        self._remembered: dict[str, _Remembered] = {}

    def kept(self, request: HttpRequest) -> HttpResponse | None:
        """None where it is not there or too old, and where the database does not say."""
        found = self._remembered.get(request.url)
        if found is None or not self._is_young(found, request):
            found = self._stored(request.url)
        if found is None or not self._is_young(found, request):
            return None
        return HttpResponse(200, {}, found.body)

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

    def had(self, url: str, body: bytes) -> None:
        """The PSP gave it."""
        if len(body) <= KEPT_BYTES_MAX:
            self._remember(url, _Remembered(body, self._ports.clock.now(), is_proven=False))

    def prove(self, url: str) -> None:
        """A genuine webhook was verified by it. A database that takes nothing now takes it with the next one."""
        found = self._remembered.get(url)
        if found is None or found.is_proven:
            return
        document = PublicDocument(url, base64.b64encode(found.body).decode(), found.had_at)
        try:
            self._put(document)
        except Fault as fault:  # another process was faster, or the database is down
            log.info("a public document was not kept", extra={"fields": {"detail": fault.detail}})
            return
        self._remember(url, replace(found, is_proven=True))

    def _put(self, document: PublicDocument) -> None:
        version = NEW
        try:
            stored = self._ports.store.get(PUBLIC_DOCUMENT, public_document_key(document.url))
        except NotFound:
            pass
        else:
            version = stored.version
            if stored.value.had_at >= document.had_at:
                return
        self._ports.store.put(PUBLIC_DOCUMENT, document, expect=version)

    def _stored(self, url: str) -> _Remembered | None:
        try:
            document = self._ports.store.get(PUBLIC_DOCUMENT, public_document_key(url)).value
        except (NotFound, Fault):
            return None
        found = _Remembered(base64.b64decode(document.body_base64), document.had_at, is_proven=True)
        self._remember(url, found)
        return found

    def _remember(self, url: str, found: _Remembered) -> None:
        with self._lock:
            self._remembered.pop(url, None)
            if len(self._remembered) >= REMEMBERED_MAX:
                unproven = (one for one, known in self._remembered.items() if not known.is_proven)
                del self._remembered[next(unproven, next(iter(self._remembered)))]
            self._remembered[url] = found

    def _is_young(self, found: _Remembered, request: HttpRequest) -> bool:
        return (self._ports.clock.now() - found.had_at).total_seconds() < request.keeps_s


@dataclass
class Search:
    """What one conversation asks for, from what is known where it is there."""

    _documents: PublicDocuments
    _whose: str
    _waits_for: HttpRequest | None = None
    _used: list[str] = field(default_factory=list)

    def through(self, conversation: Conversation[T]) -> Conversation[T]:
        """The same conversation, which yields only what has to be asked for. Raises ReadFailed beside what it raises."""
        answer: HttpResponse | None = None
        while True:
            try:
                request = next(conversation) if answer is None else conversation.send(answer)
            except StopIteration as stop:
                for url in self._used:
                    self._documents.prove(url)
                result: T = stop.value
                return result
            answer = (yield from self._document(request)) if request.keeps_s else (yield request)

    def _document(self, request: HttpRequest) -> Conversation[HttpResponse]:
        self._used.append(request.url)
        known = self._documents.kept(request)
        if known is not None:
            return known
        self._documents.check(request, self._whose)
        self._waits_for = request
        answer = yield request
        self._waits_for = None
        if answer.status == 200:
            self._documents.had(request.url, answer.body)
        return answer

    def over(self) -> None:
        """To be called when the conversation came to an end, whichever."""
        if self._waits_for is not None:
            self._documents.was_silent(self._waits_for)
