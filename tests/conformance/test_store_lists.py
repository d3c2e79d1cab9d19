"""What every store promises of its lists: see `contracts.store`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.store import KEY_BYTES_MAX, NEW, PAGE_MAX, Store
from chalicelib.domain.errors import StaleVersion, Unreadable
from tests.conformance.stores import NOTE, STORES, Note, OpenStore, fill, listed

AWKWARD = [
    "",
    "A",
    "Z",
    "a",
    "aa",
    "b",
    "%",
    "_",
    "'",
    '"; --',
    "é",
    "e\u0301",
    "ß",
    "ﬀ",
    "中",
    "\uffff",
    "😀",
    " ",
    "a ",
]


@pytest.fixture(params=STORES, ids=str)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    with request.param.open_for_test(tmp_path) as opened:
        yield opened


@pytest.fixture
def store(opened: OpenStore) -> Store:
    return opened.store


@pytest.fixture(scope="module", params=STORES, ids=str)
def partitioned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all who only read it, with a document in each awkward partition."""
    with request.param.open_for_test(tmp_path_factory.mktemp("partitioned")) as opened:
        fill(opened.store, *(Note(f"n{number}", partition=text) for number, text in enumerate(AWKWARD)))
        yield opened.store


def test_a_list_is_in_the_order_of_sort_and_id(store: Store) -> None:
    fill(store, Note("b", "2"), Note("c", "1"), Note("a", "2"), Note("d", "3"), Note("other", "2", partition="market"))
    assert listed(store, newest_first=False) == ["c", "a", "b", "d"]
    assert listed(store, newest_first=True) == ["d", "b", "a", "c"]


def test_sort_keys_are_compared_by_their_bytes(store: Store) -> None:
    fill(store, *(Note(f"n{number}", at) for number, at in enumerate(AWKWARD)))
    ids = sorted(range(len(AWKWARD)), key=lambda number: AWKWARD[number].encode())
    assert listed(store, newest_first=False, limit=4) == [f"n{number}" for number in ids]


def test_the_longest_keys_are_in_order_too(store: Store) -> None:
    sorts = ["x" * (KEY_BYTES_MAX - 1), "x" * KEY_BYTES_MAX, "x" * (KEY_BYTES_MAX - 1) + "y"]
    notes = [
        Note(f"{name}{number}", at) for number, at in enumerate(sorts) for name in ("a" * (KEY_BYTES_MAX - 1), "b", "a")
    ]
    fill(store, *reversed(notes))
    ordered = [note.id for note in sorted(notes, key=lambda note: (note.at, note.id))]
    assert listed(store, newest_first=False, limit=2) == ordered
    assert listed(store, newest_first=True, limit=2) == ordered[::-1]


def test_ids_are_compared_by_their_bytes(store: Store) -> None:
    names = [name for name in AWKWARD if name]
    fill(store, *(Note(name) for name in names))
    assert listed(store, newest_first=False, limit=4) == sorted(names, key=str.encode)


@pytest.mark.parametrize("partition", AWKWARD)
def test_a_partition_is_matched_exactly(partitioned: Store, partition: str) -> None:
    assert listed(partitioned, partition=partition) == [f"n{AWKWARD.index(partition)}"]


@pytest.mark.parametrize("partition", ["\ud800", "\0", "x" * (KEY_BYTES_MAX + 1)])
def test_a_partition_that_can_not_be_is_empty(store: Store, partition: str) -> None:
    assert store.find(NOTE, "by_time", partition).items == ()


@pytest.mark.parametrize("newest_first", [True, False])
def test_since_is_included_and_until_is_not(store: Store, newest_first: bool) -> None:
    fill(store, *(Note(at, at) for at in ("1", "2", "3", "4")))
    asked: dict[str, Any] = {"newest_first": newest_first, "limit": 1}
    assert sorted(listed(store, since="2", until="4", **asked)) == ["2", "3"]
    assert sorted(listed(store, since="3", **asked)) == ["3", "4"]
    assert sorted(listed(store, until="3", **asked)) == ["1", "2"]
    assert listed(store, since="3", until="3", **asked) == []


def test_a_borderline_may_move_while_paging(store: Store) -> None:
    fill(store, *(Note(at, at) for at in ("1", "2", "3", "4", "5")))
    after = store.find(NOTE, "by_time", "shop", limit=1, newest_first=True).after
    assert store.find(NOTE, "by_time", "shop", after=after, until="3").items[0].value.id == "2"
    after = store.find(NOTE, "by_time", "shop", limit=1, newest_first=False).after
    page = store.find(NOTE, "by_time", "shop", after=after, since="4", newest_first=False)
    assert [item.value.id for item in page.items] == ["4", "5"]


def test_pages_end_with_no_cursor(store: Store) -> None:
    fill(store, *(Note(f"{number}") for number in range(4)))
    first = store.find(NOTE, "by_time", "shop", limit=2)
    second = store.find(NOTE, "by_time", "shop", limit=2, after=first.after)
    assert [len(first.items), len(second.items), second.after] == [2, 2, None]


@pytest.mark.parametrize("newest_first", [True, False])
def test_rows_added_while_paging_neither_repeat_nor_hide_others(store: Store, newest_first: bool) -> None:
    dice = random.Random(7)
    before = [Note(f"b{number:03}", f"{dice.randrange(30):02}") for number in range(60)]
    fill(store, *before)
    seen: list[str] = []
    after = None
    added = 0
    while True:
        page = store.find(NOTE, "by_time", "shop", newest_first=newest_first, after=after, limit=7)
        seen += [item.value.id for item in page.items]
        after = page.after
        if after is None:
            break
        for _ in range(3):
            fill(store, Note(f"{dice.choice('ac')}{added:03}", f"{dice.randrange(30):02}"))
            added += 1
    assert len(seen) == len(set(seen))
    expected = sorted(((note.at, note.id) for note in before), reverse=newest_first)
    assert [id for id in seen if id.startswith("b")] == [id for _, id in expected]


@pytest.mark.parametrize("newest_first", [True, False])
def test_rows_removed_while_paging_neither_repeat_nor_hide_others(store: Store, newest_first: bool) -> None:
    """The row a cursor names is among them."""
    dice = random.Random(11)
    notes = [Note(f"b{number:03}", f"{dice.randrange(20):02}") for number in range(60)]
    versions = {note.id: store.put(NOTE, note, expect=NEW) for note in notes}
    order = [id for _, id in sorted(((note.at, note.id) for note in notes), reverse=newest_first)]
    seen: list[str] = []
    removed: set[str] = set()
    after = None
    while True:
        page = store.find(NOTE, "by_time", "shop", newest_first=newest_first, after=after, limit=7)
        seen += [item.value.id for item in page.items]
        after = page.after
        if after is None:
            break
        ahead = [id for id in order if id not in seen and id not in removed]
        for id in {seen[-1] if seen else order[0], dice.choice(ahead or order), dice.choice(order)} - removed:
            store.delete(NOTE, id, expect=versions[id])
            removed.add(id)
    assert [id for id in seen if id not in removed] == [id for id in order if id not in removed]
    assert len(seen) == len(set(seen))


def test_a_document_enters_and_leaves_a_sparse_index(store: Store) -> None:
    version = store.put(NOTE, Note("n"), expect=NEW)
    assert listed(store, "due", "due") == []
    version = store.put(NOTE, Note("n", due="5"), expect=version)
    assert listed(store, "due", "due", until="6") == ["n"]
    version = store.put(NOTE, Note("n", due="7"), expect=version)
    assert listed(store, "due", "due", until="6") == []
    store.put(NOTE, Note("n", due=None), expect=version)
    assert listed(store, "due", "due") == []


def test_a_refused_put_leaves_the_indexes_alone(store: Store) -> None:
    version = store.put(NOTE, Note("n"), expect=NEW)
    store.put(NOTE, Note("n"), expect=version)
    with pytest.raises(StaleVersion):
        store.put(NOTE, Note("n", due="5"), expect=version)
    assert listed(store, "due", "due") == []


def test_a_list_can_be_filtered(store: Store) -> None:
    for number in range(12):
        status = ("captured", "failed", None)[number % 3]
        fill(store, Note(f"{number:02}", status=status, currency=("EUR", "USD")[number % 2]))
    assert listed(store, where={"status": "failed"}, limit=2) == ["10", "07", "04", "01"]
    assert listed(store, where={"status": "failed", "currency": "USD"}, limit=1) == ["07", "01"]
    assert listed(store, where={"status": "Failed"}) == []
    assert listed(store, where={"status": "\ud800"}) == []


def test_a_filter_follows_the_document(store: Store) -> None:
    version = store.put(NOTE, Note("n", status="created"), expect=NEW)
    store.put(NOTE, Note("n", status="captured"), expect=version)
    assert listed(store, where={"status": "created"}) == []
    assert listed(store, where={"status": "captured"}) == ["n"]


# Questions that can not be answered


@pytest.mark.parametrize("limit", [0, -1, PAGE_MAX + 1])
def test_a_limit_outside_its_range_is_a_mistake(store: Store, limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        store.find(NOTE, "by_time", "shop", limit=limit)


def test_an_undeclared_index_is_a_mistake(store: Store) -> None:
    with pytest.raises(ValueError, match="no index"):
        store.find(NOTE, "by_colour", "shop")


def test_an_undeclared_filter_is_a_mistake(store: Store) -> None:
    with pytest.raises(ValueError, match="filtered"):
        store.find(NOTE, "by_time", "shop", where={"text": "x"})


@pytest.mark.parametrize("cursor", ["", "x", "é", "AAAA", "====", "\ud800", "A" * 5000])
def test_an_invented_cursor_is_unreadable(store: Store, cursor: str) -> None:
    with pytest.raises(Unreadable):
        store.find(NOTE, "by_time", "shop", after=cursor)


@pytest.mark.parametrize(
    "asked",
    [("by_order", "shop", True), ("by_time", "market", True), ("by_time", "shop", False)],
    ids=["index", "partition", "direction"],
)
def test_a_cursor_of_another_list_is_unreadable(store: Store, asked: tuple[str, str, bool]) -> None:
    fill(store, Note("a"), Note("b"))
    after = store.find(NOTE, "by_time", "shop", limit=1).after
    index, partition, newest_first = asked
    with pytest.raises(Unreadable):
        store.find(NOTE, index, partition, newest_first=newest_first, after=after)


def test_a_changed_cursor_is_unreadable(store: Store) -> None:
    fill(store, Note("a"), Note("b"))
    after = store.find(NOTE, "by_time", "shop", limit=1).after
    assert after is not None
    for place in range(len(after)):
        with pytest.raises(Unreadable):
            store.find(NOTE, "by_time", "shop", after=after[:place] + ("A" if after[place] != "A" else "B"))
