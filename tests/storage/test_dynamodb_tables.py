"""Tables made, found, missing, or written by a newer version: see storage/dynamodb_tables.py."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from botocore.session import Session

from chalicelib.contracts.store import NEW, Index, IndexKey, Kind
from chalicelib.domain.errors import StorageFault, StorageTooNew
from chalicelib.services.kinds import DELIVERY, INBOX, KINDS, PAYMENT
from chalicelib.storage import dynamodb_tables
from chalicelib.storage.dynamodb import DynamoStore
from chalicelib.storage.dynamodb_calls import Calls, Rejected
from chalicelib.storage.dynamodb_tables import MARK, table_of, time_to_live_of
from tests.conformance.dynamodb import aws_at, endpoint_of
from tests.conformance.stores import NOTE, OTHER, Note
from tests.servers.dynamodb_front import DENIED, WELL, Front, front_of
from tests.servers.dynamodb_local import dynamodb_local

CONNECTIONS = replace(OTHER, name="connections")
SOME = (NOTE, CONNECTIONS)


@pytest.fixture
def front() -> Iterator[Front]:
    with front_of(endpoint_of(dynamodb_local)) as (front, endpoint), aws_at(endpoint):
        yield front


@pytest.fixture
def prefix() -> str:
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
def calls(front: Front) -> Iterator[Calls]:
    calls = Calls()
    yield calls
    calls.close()


def migrated(prefix: str, kinds: tuple[Kind[Any], ...] = SOME, *, create_tables: bool = True) -> tuple[str, ...]:
    store = DynamoStore(prefix, kinds, create_tables=create_tables)
    try:
        return tuple(store.migrate())
    finally:
        store.close()


def test_missing_tables_are_created_once(front: Front, prefix: str) -> None:
    assert migrated(prefix) == (f"table {prefix}-payments", f"table {prefix}-connections")
    assert migrated(prefix) == ()


def test_a_start_costs_one_read_once_the_tables_were_found(front: Front, prefix: str) -> None:
    migrated(prefix)
    front.asked.clear()
    migrated(prefix, create_tables=False)
    assert front.asked == ["GetItem"]


def test_tables_that_somebody_else_made_are_found_and_noted(front: Front, prefix: str, calls: Calls) -> None:
    for kind in SOME:
        calls.send("CreateTable", kind.name, table_of(prefix, kind))
    assert migrated(prefix, create_tables=False) == ()
    front.asked.clear()
    assert migrated(prefix, create_tables=False) == ()
    assert front.asked == ["GetItem"]


def test_a_missing_table_is_told_by_name_where_none_may_be_created(front: Front, prefix: str) -> None:
    migrated(prefix, (CONNECTIONS,))
    with pytest.raises(StorageFault, match=f"{prefix}-payments"):
        migrated(prefix, create_tables=False)


def test_a_kind_with_a_new_index_gets_it(front: Front, prefix: str) -> None:
    store = DynamoStore(prefix, SOME, create_tables=True)
    store.migrate()
    store.put(NOTE, Note("old"), expect=NEW)
    by_status = Index("by_status", lambda note: IndexKey(note.status or "none", note.at))
    newer = replace(NOTE, indexes=(*NOTE.indexes, by_status))
    with pytest.raises(StorageFault, match="no index by_status"):
        migrated(prefix, (newer, CONNECTIONS), create_tables=False)
    assert migrated(prefix, (newer, CONNECTIONS)) == (f"index by_status of {prefix}-payments",)
    store.put(newer, Note("new"), expect=NEW)
    assert [one.value.id for one in store.find(newer, "by_status", "captured").items] == ["new"]
    store.close()


def test_an_older_and_a_newer_version_side_by_side_each_read_once(front: Front, prefix: str) -> None:
    by_status = Index("by_status", lambda note: IndexKey(note.status or "none", note.at))
    newer = (replace(NOTE, indexes=(*NOTE.indexes, by_status)), CONNECTIONS)
    for kinds in (SOME, newer):
        migrated(prefix, kinds)
    front.asked.clear()
    for kinds in (SOME, newer, SOME):
        migrated(prefix, kinds, create_tables=False)
    assert front.asked == ["GetItem"] * 3


def test_what_a_newer_version_has_written_is_not_touched(
    front: Front, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(dynamodb_tables, "FORMAT", dynamodb_tables.FORMAT + 1)
        migrated(prefix)
    for create_tables in (True, False):
        with pytest.raises(StorageTooNew, match="Nothing was changed"):
            migrated(prefix, create_tables=create_tables)


def test_a_newer_version_that_comes_while_the_tables_are_looked_at_is_noticed(
    front: Front, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(operation: str) -> str:
        if operation == "UpdateItem" and front.count("UpdateItem") == 0:
            front.asked.append(operation)
            with monkeypatch.context() as newer:
                newer.setattr(dynamodb_tables, "FORMAT", dynamodb_tables.FORMAT + 1)
                migrated(prefix)
        return WELL

    front.plan = plan
    with pytest.raises(StorageTooNew):
        migrated(prefix)


def test_a_function_that_may_only_read_starts_all_the_same(front: Front, prefix: str, calls: Calls) -> None:
    for kind in SOME:
        calls.send("CreateTable", kind.name, table_of(prefix, kind))
    for denied in ("UpdateItem", "DescribeTable"):
        front.plan = lambda operation, denied=denied: DENIED if operation == denied else WELL
        assert migrated(prefix, create_tables=False) == ()


def test_any_number_of_processes_may_create_the_tables_at_once(front: Front, prefix: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        steps = list(pool.map(lambda _: migrated(prefix), range(6)))
    assert sorted(step for some in steps for step in some) == [
        f"table {prefix}-connections",
        f"table {prefix}-payments",
    ]


def test_tables_whose_documents_lapse_have_that_switched_on(front: Front, prefix: str) -> None:
    lapsing = replace(NOTE, kept_s=lambda note: 3600)
    migrated(prefix, (lapsing, CONNECTIONS))
    client = Session().create_client("dynamodb")
    told = client.describe_time_to_live(TableName=f"{prefix}-payments")
    assert told["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "lapses_at"}
    told = client.describe_time_to_live(TableName=f"{prefix}-connections")
    assert told["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED"
    client.close()


def test_a_put_says_until_when_a_document_is_kept_and_the_next_may_take_it_back(
    front: Front, prefix: str, calls: Calls
) -> None:
    lapsing = replace(NOTE, kept_s=lambda note: None if note.due else 2**31)
    store = DynamoStore(prefix, (lapsing,), create_tables=True)
    store.migrate()

    def lapses() -> bool:
        asked = {"TableName": f"{prefix}-payments", "Key": {"id": {"S": "n"}}}
        return "lapses_at" in calls.send("GetItem", "payments", asked)["Item"]

    version = store.put(lapsing, Note("n"), expect=NEW)
    assert lapses()
    store.put(lapsing, Note("n", due="1"), expect=version)
    assert not lapses()
    store.close()


def test_deliveries_and_inbox_items_alone_lapse() -> None:
    assert {kind.name for kind in KINDS if time_to_live_of(kind) is not None} == {DELIVERY.name, INBOX.name}


def test_the_mark_is_no_id_that_a_document_can_have(front: Front, prefix: str) -> None:
    store = DynamoStore(prefix, SOME, create_tables=True)
    store.migrate()
    with pytest.raises(Exception, match="NUL"):
        store.put(CONNECTIONS, Note(MARK), expect=NEW)
    assert store.find(CONNECTIONS, "by_merchant", "shop").items == ()
    store.close()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_a_table_that_dynamodb_takes(calls: Calls, prefix: str, kind: Kind[Any]) -> None:
    wanted = table_of(prefix, kind)
    made = calls.send("CreateTable", kind.name, wanted)["TableDescription"]
    assert {one["IndexName"] for one in made.get("GlobalSecondaryIndexes", ())} == {one.name for one in kind.indexes}
    assert made["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert wanted["DeletionProtectionEnabled"]
    json.dumps(wanted)  # goes into a template as it is


def test_the_busy_indexes_are_spread() -> None:
    spread = {f"{kind.name}.{index.name}" for kind in KINDS for index in kind.indexes if index.spread}
    assert spread == {
        *(f"payments.{name}" for name in ("by_time", "due", "attention", "by_journal", "refunded")),
        *(f"{kind}.{name}" for kind in ("deliveries", "inbox") for name in ("by_time", "due")),
    }
    assert PAYMENT.kept_s is None


def test_a_prefix_that_names_no_table_is_a_mistake() -> None:
    for prefix in ("", "a b", "é", "x" * 201):
        with pytest.raises(ValueError, match="begin a DynamoDB table"):
            DynamoStore(prefix, SOME)


def test_more_shards_hide_nothing_that_was_written_with_fewer(front: Front, prefix: str) -> None:
    notes = [Note(f"n{number:02}", f"{number % 7}", due="1") for number in range(40)]
    for number, shards in enumerate((1, 3, 8)):
        store = DynamoStore(prefix, SOME, shards=shards, create_tables=True)
        store.migrate()
        for note in notes[number * 10 : number * 10 + 10]:
            store.put(NOTE, note, expect=NEW)
        page = store.find(NOTE, "by_time", "shop", newest_first=False)
        assert [one.value for one in page.items] == sorted(notes[: number * 10 + 10], key=lambda one: (one.at, one.id))
        assert len(store.due(NOTE, "due", "due", until="2", limit=100)) == number * 10 + 10
        store.close()


def test_an_unknown_kind_is_a_mistake(front: Front, prefix: str) -> None:
    store = DynamoStore(prefix, (NOTE,))
    with pytest.raises(ValueError, match="not told of audit"):
        store.get(OTHER, "n")
    store.close()


def test_a_call_that_dynamodb_refuses_names_its_code(calls: Calls) -> None:
    with pytest.raises(Rejected) as told:
        calls.send("DescribeTable", "none", {"TableName": "none"})
    assert told.value.code == "ResourceNotFoundException"
