"""Public documents are asked for within bounds, kept where they verified something, and given again while they are young."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.conversation import CallFailed, Conversation, HttpRequest, HttpResponse, ReadFailed
from chalicelib.domain.errors import SignatureInvalid, StaleVersion, StorageFault
from chalicelib.outbound.offline import WantsCall, finished
from chalicelib.services.kinds import PUBLIC_DOCUMENT, public_document_key
from chalicelib.services.public_documents import (
    ASKED_EVERY_S,
    ASKED_MAX,
    KEPT_BYTES_MAX,
    REMEMBERED_MAX,
    SILENT_FOR_S,
    SILENT_MAX,
    PublicDocuments,
)
from tests.world import World

URL = "https://psp.example/certificate"
KEEPS_S = 100
PAGE = HttpResponse(200, {}, b"a document")


def asks(url: str = URL, *, keeps_s: int = KEEPS_S, then: Exception | None = None) -> Conversation[bytes]:
    answer = yield HttpRequest("GET", url, keeps_s=keeps_s)
    if then is not None:
        raise then
    return answer.body


class Asking:
    """The documents of one process, and what it asked PSPs for."""

    def __init__(self, world: World) -> None:
        self.world, self.asked = world, list[str]()
        self.documents = PublicDocuments(world.ports, lambda: world.clock.at.timestamp())

    def had(self, conversation: Conversation[bytes], answer: HttpResponse | CallFailed = PAGE, whose: str = "a") -> Any:
        search = self.documents.search(whose)
        through = search.through(conversation)
        try:
            request = next(through)
            while True:
                self.asked.append(request.url)
                if isinstance(answer, CallFailed):
                    raise answer
                request = through.send(answer)
        except StopIteration as stop:
            return stop.value
        finally:
            search.over()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, configure=False)


@pytest.fixture
def asking(world: World) -> Asking:
    return Asking(world)


def test_one_that_verified_something_is_known_to_every_process(world: World, asking: Asking) -> None:
    assert asking.had(asks()) == b"a document"
    other = Asking(world)
    assert other.had(asks()) == b"a document"
    assert finished(asks(), other.documents.kept) == b"a document"
    assert other.documents.kept(HttpRequest("GET", URL, keeps_s=KEEPS_S)) == PAGE
    assert (asking.asked, other.asked) == ([URL], [])


def test_one_that_verified_nothing_yet_is_known_here_alone(asking: Asking, world: World) -> None:
    for _ in range(2):
        with pytest.raises(SignatureInvalid):
            asking.had(asks(then=SignatureInvalid("forged")))
    assert asking.asked == [URL]
    with pytest.raises(WantsCall, match="calls call"):
        finished(asks(), Asking(world).documents.kept)


def test_and_elsewhere_once_a_genuine_webhook_was_verified_by_it(asking: Asking, world: World) -> None:
    with pytest.raises(SignatureInvalid):
        asking.had(asks(then=SignatureInvalid("forged")))
    world.clock.forward(30)
    asking.had(asks())
    assert asking.asked == [URL]
    assert finished(asks(), Asking(world).documents.kept) == b"a document"
    world.clock.forward(KEEPS_S - 30)
    with pytest.raises(WantsCall):
        finished(asks(), Asking(world).documents.kept)


def test_a_database_that_took_nothing_takes_it_with_the_next_one(
    asking: Asking, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:

        def down(*arguments: Any, **named: Any) -> Any:
            raise StorageFault("down")

        broken.setattr(world.store, "put", down)
        asking.had(asks())
    asking.had(asks())
    assert asking.asked == [URL]
    assert finished(asks(), Asking(world).documents.kept) == b"a document"


def test_it_is_put_once(asking: Asking, world: World) -> None:
    for _ in range(3):
        asking.had(asks())
    stored = world.store.get(PUBLIC_DOCUMENT, public_document_key(URL))
    Asking(world).had(asks())
    assert world.store.get(PUBLIC_DOCUMENT, public_document_key(URL)) == stored


def test_what_another_process_had_later_stays(asking: Asking, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Asking(world)
    with pytest.raises(SignatureInvalid):
        asking.had(asks(then=SignatureInvalid("forged")))
    world.clock.forward(10)
    with monkeypatch.context() as unseen:
        unseen.setattr(other.documents, "_stored", lambda url: None)
        other.had(asks(), HttpResponse(200, {}, b"the newer"))
    asking.had(asks())
    assert finished(asks(), Asking(world).documents.kept) == b"the newer"


def test_who_forges_pushes_out_nothing_that_is_proven(
    asking: Asking, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Asking(world)
    asking.had(asks())
    finished(asks(), other.documents.kept)
    for one in (asking, other):
        for number in range(2 * REMEMBERED_MAX):
            one.documents.had(f"{URL}{number}", b"on a forger's word")
        assert len(one.documents._remembered) == REMEMBERED_MAX

    def unread(*arguments: Any) -> Any:
        raise AssertionError("what is remembered is not looked for")

    monkeypatch.setattr(world.store, "get", unread)
    for one in (asking, other):
        assert finished(asks(), one.documents.kept) == b"a document"


def test_what_is_had_anew_pushes_no_other_out(asking: Asking) -> None:
    for number in (*range(REMEMBERED_MAX), REMEMBERED_MAX - 1):
        asking.documents.had(f"{URL}{number}", b"a document")
    assert len(asking.documents._remembered) == REMEMBERED_MAX


def test_of_those_that_are_proven_the_first_goes(asking: Asking) -> None:
    for number in range(REMEMBERED_MAX + 1):
        asking.documents.had(f"{URL}{number}", b"a document")
        asking.documents.prove(f"{URL}{number}")
    assert [f"{URL}0" in asking.documents._remembered, f"{URL}1" in asking.documents._remembered] == [False, True]


@pytest.mark.parametrize("status", [201, 204, 404, 429])
def test_what_is_no_document_is_not_kept(asking: Asking, status: int) -> None:
    asking.had(asks(), replace(PAGE, status=status))
    assert asking.documents.kept(HttpRequest("GET", URL, keeps_s=KEEPS_S)) is None


def test_a_huge_one_is_not_kept(asking: Asking) -> None:
    for length, is_kept in ((KEPT_BYTES_MAX + 1, False), (KEPT_BYTES_MAX, True)):
        asking.had(asks(), HttpResponse(200, {}, b"x" * length))
        assert (asking.documents.kept(HttpRequest("GET", URL, keeps_s=KEEPS_S)) is not None) is is_kept


def test_it_is_asked_for_anew_after_its_time(world: World, asking: Asking) -> None:
    asking.had(asks())
    world.clock.forward(KEEPS_S - 1)
    asking.had(asks())
    assert asking.asked == [URL]
    world.clock.forward(1)
    assert asking.had(asks(), HttpResponse(200, {}, b"the newer")) == b"the newer"
    assert finished(asks(), asking.documents.kept) == b"the newer"


def test_what_is_no_public_document_is_asked_each_time_and_never_kept(world: World, asking: Asking) -> None:
    for _ in range(2):
        asking.had(asks(keeps_s=0))
    assert asking.asked == [URL, URL]
    with pytest.raises(WantsCall):
        finished(asks(keeps_s=0), asking.documents.kept)


def test_only_so_many_are_asked_for(world: World, asking: Asking) -> None:
    for number in range(ASKED_MAX):
        asking.had(asks(f"{URL}{number}"), HttpResponse(404, {}, b""))
    with pytest.raises(ReadFailed, match=r"^too many documents were asked for$"):
        asking.had(asks(f"{URL}more"))
    assert asking.had(asks(f"{URL}more"), whose="b") == b"a document", "another connection has its own"
    assert asking.had(asks(f"{URL}more")) == b"a document", "and what is kept need not be asked for"
    world.clock.forward(ASKED_EVERY_S)
    assert asking.had(asks(f"{URL}once more")) == b"a document"


def test_one_that_did_not_come_is_not_asked_for_again_at_once(world: World, asking: Asking) -> None:
    with pytest.raises(ReadFailed):
        asking.had(asks(), ReadFailed("the PSP was silent"))
    with pytest.raises(ReadFailed, match=r"^the PSP did not give the document a moment ago$"):
        asking.had(asks())
    assert asking.asked == [URL]
    assert asking.had(asks(f"{URL}2")) == b"a document", "another one is"
    world.clock.forward(SILENT_FOR_S)
    assert asking.had(asks()) == b"a document"


def test_what_did_not_come_takes_no_more_than_its_room(asking: Asking) -> None:
    for number in range(SILENT_MAX + 5):
        asking.documents.was_silent(HttpRequest("GET", f"{URL}{number}"))
    assert len(asking.documents._silent_until) == 5


def test_a_database_that_is_down_keeps_nothing_from_being_verified(
    world: World, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*arguments: Any, **named: Any) -> Any:
        raise StorageFault("down")

    for method in ("get", "put"):
        monkeypatch.setattr(world.store, method, down)
    assert asking.had(asks()) == b"a document"
    with pytest.raises(WantsCall):
        finished(asks(), Asking(world).documents.kept)


def test_in_a_process_that_has_just_begun_all_may_be_asked_for(world: World, asking: Asking) -> None:
    asking.documents = PublicDocuments(world.ports, lambda: 0.5)
    assert asking.had(asks()) == b"a document"


def test_who_puts_one_first_does_no_harm(
    world: World, asking: Asking, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stale(*arguments: Any, **named: Any) -> Any:
        raise StaleVersion("another was faster")

    monkeypatch.setattr(world.store, "put", stale)
    with caplog.at_level("INFO", "paymentserver.documents"):
        assert asking.had(asks()) == b"a document"
    (told,) = caplog.records
    assert (told.message, told.fields) == ("a public document was not kept", {"detail": "another was faster"})  # type: ignore[attr-defined]


def test_a_document_is_known_by_its_whole_address(world: World, asking: Asking) -> None:
    asking.had(asks())
    assert world.store.get(PUBLIC_DOCUMENT, public_document_key(URL)).value.url == URL
    assert asking.documents.kept(HttpRequest("GET", f"{URL}?a", keeps_s=KEEPS_S)) is None
