"""A database from before there were statistics: its payments find their places in the new index."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from chalicelib.domain.payment import JournalEntry, Payment, Status
from chalicelib.services.kinds import KINDS, PAYMENT
from chalicelib.storage.row import row_of
from chalicelib.storage.sql import SqlStore
from tests.builders import NOW, payment
from tests.conformance.stores import sqlite_url
from tests.storage.make_schema_fixture import SCHEMAS

BY_JOURNAL = [index.name for index in PAYMENT.indexes].index("by_journal")
MANY = 1_100  # more than two batches
ELSEWHERE = timezone(timedelta(hours=5))
LATER = NOW + timedelta(days=1)  # than its creation: a first event beside that stands in no index


@pytest.fixture
def path(tmp_path: Path) -> Path:
    shutil.copy(SCHEMAS / "0001.db", tmp_path / "store.db")
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    store = SqlStore(sqlite_url(path), KINDS)
    yield store
    store.close()


def told(id: str, *times: datetime, merchant_id: str = "default") -> Payment:
    """A payment with an event at each time, as it was written then."""
    journal = tuple(
        JournalEntry(f"evt_{number}", number, "payment.pending", at, Status.PENDING, (0,) * 7)
        for number, at in enumerate(times, start=1)
    )
    return replace(payment(), id=id, merchant_id=merchant_id, journal=journal)


def written(path: Path, *payments: Payment) -> None:
    """Puts documents into the table as the first schema had it."""
    columns = ("id", "version", "by_time_partition", "by_time_sort", "status", "document")
    with sqlite3.connect(path) as connection:
        for one in payments:
            row = row_of(PAYMENT, one)
            by_time = row.keys[0]
            assert by_time is not None
            values = (row.id, 7, by_time.partition, by_time.sort, row.filters[0], row.document)
            marks = ", ".join("?" for _ in columns)
            connection.execute(f"INSERT INTO payments ({', '.join(columns)}) VALUES ({marks})", values)
    connection.close()


def found(store: SqlStore, merchant_id: str = "default") -> list[str]:
    ids: list[str] = []
    after = None
    while True:
        page = store.find(PAYMENT, "by_journal", merchant_id, newest_first=False, after=after, limit=200)
        ids += [one.value.id for one in page.items]
        after = page.after
        if after is None:
            return ids


def test_payments_are_found_by_their_newest_event(store: SqlStore, path: Path) -> None:
    later, earlier = NOW + timedelta(microseconds=1), NOW - timedelta(days=1)
    written(path, told("pay_c", earlier, later), told("pay_a", NOW), told("pay_b", earlier))
    store.migrate()
    assert found(store) == ["pay_b", "pay_a", "pay_c"]


def test_the_newest_event_need_not_be_the_last_one(store: SqlStore, path: Path) -> None:
    written(path, told("pay_a", NOW + timedelta(hours=1), NOW), told("pay_b", NOW + timedelta(minutes=1)))
    store.migrate()
    assert found(store) == ["pay_b", "pay_a"]


def test_a_payment_without_an_event_is_not_in_the_index(store: SqlStore, path: Path) -> None:
    written(path, told("pay_a"), told("pay_b", NOW))
    store.migrate()
    assert found(store) == ["pay_b"]


def test_each_merchant_account_has_its_own(store: SqlStore, path: Path) -> None:
    written(path, told("pay_a", NOW), told("pay_b", NOW, merchant_id="other"))
    store.migrate()
    assert (found(store), found(store, "other")) == (["pay_a"], ["pay_b"])


def test_more_payments_than_a_batch_holds_all_find_their_places(store: SqlStore, path: Path) -> None:
    made = [told(f"pay_{number:05d}", NOW + timedelta(seconds=number)) for number in range(MANY)]
    written(path, *made)
    store.migrate()
    assert found(store) == [one.id for one in made]


@pytest.mark.parametrize("at", [LATER, LATER.replace(microsecond=5), LATER.astimezone(ELSEWHERE)], ids=str)
def test_the_place_is_the_one_that_a_put_would_give(store: SqlStore, path: Path, at: datetime) -> None:
    made = told("pay_a", at)
    written(path, made)
    store.migrate()
    place = row_of(PAYMENT, made).keys[BY_JOURNAL]
    assert place is not None
    with sqlite3.connect(path) as connection:
        query = "SELECT by_journal_partition, by_journal_sort FROM payments WHERE id = 'pay_a'"
        assert connection.execute(query).fetchone() == (place.partition, place.sort)
    connection.close()


def test_versions_stay_as_they_were_so_that_who_read_before_can_still_write(store: SqlStore, path: Path) -> None:
    written(path, told("pay_a", NOW.astimezone(UTC)))
    store.migrate()
    stored = store.get(PAYMENT, "pay_a")
    assert store.put(PAYMENT, stored.value, expect=stored.version) == 8
