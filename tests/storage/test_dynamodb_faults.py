"""What becomes of a call that DynamoDB throttles, breaks, or answers too late: see storage/dynamodb_calls.py."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.contracts.store import NEW, Store
from chalicelib.domain.errors import STATUS_OF, NotFound, StaleVersion, StorageFault
from chalicelib.outbound import aws
from chalicelib.storage import dynamodb_calls
from chalicelib.storage.dynamodb import DynamoStore
from tests.conformance.dynamodb import PATIENCE_S, aws_at, dynamo_at, endpoint_of, patient
from tests.conformance.stores import KINDS, NOTE, Note, fill, listed
from tests.servers.dynamodb_front import (
    BROKEN,
    BROKEN_AFTER,
    DAMAGED,
    DENIED,
    GATEWAY_PAGE,
    PARTIAL,
    RESET,
    RESET_AFTER,
    SLOW_AFTER,
    THROTTLED,
    THROTTLING,
    WELL,
    Front,
    front_of,
)
from tests.servers.dynamodb_local import dynamodb_local

LOST = (BROKEN_AFTER, RESET_AFTER, SLOW_AFTER, GATEWAY_PAGE, DAMAGED)  # applied, but nobody is told
SOME = (THROTTLED, THROTTLING, BROKEN, RESET)  # not applied
BUDGET_S, HURRY_S = 10.0, 0.5
TIMEOUT_S = 0.5


class Troubled:
    """A store behind a front, one there that soon gives up, and another that reaches the same tables straight."""

    def __init__(self, front: Front, store: Store, hurried: Store, straight: Store) -> None:
        self.front, self.store, self.hurried, self.straight = front, store, hurried, straight


@pytest.fixture
def troubled(monkeypatch: pytest.MonkeyPatch) -> Iterator[Troubled]:
    endpoint, prefix = endpoint_of(dynamodb_local), f"test-{secrets.token_hex(6)}"
    with patient(endpoint):
        straight = DynamoStore(prefix, KINDS, shards=3, create_tables=True, budget_s=PATIENCE_S)
        straight.migrate()
    monkeypatch.setattr(dynamodb_calls, "READ_TIMEOUT_S", TIMEOUT_S)
    with front_of(endpoint) as (front, its), aws_at(its):
        front.slow_s = TIMEOUT_S * 1.5
        store, hurried = (DynamoStore(prefix, KINDS, shards=3, budget_s=budget_s) for budget_s in (BUDGET_S, HURRY_S))
        for one in (store, hurried):
            one.connect()
        yield Troubled(front, store, hurried, straight)
        for one in (store, hurried, straight):
            one.close()


@pytest.mark.parametrize("fault", [*LOST, *SOME])
def test_an_insert_that_goes_wrong_once_is_written_once(troubled: Troubled, fault: str) -> None:
    troubled.front.script("PutItem", fault)
    version = troubled.store.put(NOTE, Note("n", text="mine"), expect=NEW)
    stored = troubled.straight.get(NOTE, "n")
    assert (stored.value.text, stored.version) == ("mine", version)
    assert troubled.front.count("PutItem") == 2


@pytest.mark.parametrize("fault", [*LOST, *SOME])
def test_an_update_that_goes_wrong_twice_counts_once(troubled: Troubled, fault: str) -> None:
    before = troubled.store.put(NOTE, Note("n"), expect=NEW)
    troubled.front.script("PutItem", fault, fault)
    version = troubled.store.put(NOTE, Note("n", text="mine"), expect=before)
    stored = troubled.straight.get(NOTE, "n")
    assert (stored.value.text, stored.version, version) == ("mine", before + 1, before + 1)


@pytest.mark.parametrize("fault", [*LOST, *SOME])
def test_a_delete_that_goes_wrong_once_has_deleted(troubled: Troubled, fault: str) -> None:
    version = troubled.store.put(NOTE, Note("n"), expect=NEW)
    troubled.front.script("TransactWriteItems", fault)
    troubled.store.delete(NOTE, "n", expect=version)
    with pytest.raises(NotFound):
        troubled.straight.get(NOTE, "n")


@pytest.mark.parametrize("fault", [RESET, BROKEN])
def test_of_two_writers_of_equal_bytes_the_one_that_came_second_is_told_so(troubled: Troubled, fault: str) -> None:
    """Its first try was lost on the way, so that its second meets a document that looks like its own."""
    before = troubled.store.put(NOTE, Note("n"), expect=NEW)

    def plan(operation: str) -> str:
        if operation == "PutItem" and troubled.front.count("PutItem") == 1:
            troubled.straight.put(NOTE, Note("n", text="equal"), expect=before)
            return fault
        return WELL

    troubled.front.plan = plan
    with pytest.raises(StaleVersion):
        troubled.store.put(NOTE, Note("n", text="equal"), expect=before)
    assert troubled.straight.get(NOTE, "n").version == before + 1


@pytest.mark.parametrize("fault", [RESET, THROTTLED])
def test_of_two_inserts_of_equal_bytes_the_one_that_came_second_is_told_so(troubled: Troubled, fault: str) -> None:
    def plan(operation: str) -> str:
        if operation == "PutItem" and not troubled.front.count("PutItem"):
            troubled.straight.put(NOTE, Note("n"), expect=NEW)
            return fault
        return WELL

    troubled.front.plan = plan
    with pytest.raises((StaleVersion, StorageFault)) as told:
        troubled.store.put(NOTE, Note("n"), expect=NEW)
    if fault == RESET:
        assert "may have been written all the same" in str(told.value)
    else:
        assert isinstance(told.value, StaleVersion), "a throttled try was certainly not applied"


def test_a_put_that_others_wrote_over_before_it_could_ask_again_is_in_doubt_and_not_stale(troubled: Troubled) -> None:
    """Stale would mean that nothing was written, and it was."""
    before = troubled.store.put(NOTE, Note("n"), expect=NEW)

    def write_over() -> None:
        stored = troubled.straight.get(NOTE, "n")
        troubled.straight.put(NOTE, replace(stored.value, status="failed"), expect=stored.version)

    troubled.front.applied = write_over
    troubled.front.script("PutItem", RESET_AFTER)
    with pytest.raises(StorageFault, match="may have been written all the same"):
        troubled.store.put(NOTE, Note("n", text="mine"), expect=before)
    assert troubled.straight.get(NOTE, "n").value == Note("n", text="mine", status="failed")


def test_a_put_that_somebody_deleted_before_it_could_ask_again_is_in_doubt(troubled: Troubled) -> None:
    before = troubled.store.put(NOTE, Note("n"), expect=NEW)
    troubled.front.applied = lambda: troubled.straight.delete(
        NOTE, "n", expect=troubled.straight.get(NOTE, "n").version
    )
    troubled.front.script("PutItem", RESET_AFTER)
    with pytest.raises(StorageFault, match="may have been written all the same"):
        troubled.store.put(NOTE, Note("n", text="mine"), expect=before)


def test_of_two_deletes_one_is_told_that_there_was_nothing(troubled: Troubled) -> None:
    version = troubled.store.put(NOTE, Note("n"), expect=NEW)
    troubled.front.script("TransactWriteItems", RESET)
    troubled.straight.delete(NOTE, "n", expect=version)
    with pytest.raises(NotFound):
        troubled.store.delete(NOTE, "n", expect=version)


def test_a_delete_whose_answer_was_lost_does_not_delete_what_came_after(troubled: Troubled) -> None:
    version = troubled.store.put(NOTE, Note("n"), expect=NEW)
    troubled.front.applied = lambda: fill(troubled.straight, Note("n", text="new"))
    troubled.front.script("TransactWriteItems", RESET_AFTER)
    troubled.store.delete(NOTE, "n", expect=version)
    assert troubled.straight.get(NOTE, "n").value.text == "new"


# When the budget is spent


@pytest.mark.parametrize("fault", [THROTTLED, THROTTLING])
def test_throttling_without_end_is_a_503_that_says_nothing_was_applied(troubled: Troubled, fault: str) -> None:
    troubled.front.plan = lambda operation: fault
    began = time.monotonic()
    with pytest.raises(StorageFault, match="Nothing was applied") as told:
        troubled.hurried.put(NOTE, Note("n"), expect=NEW)
    assert time.monotonic() - began < HURRY_S + TIMEOUT_S + 1
    assert STATUS_OF[type(told.value)] == 503
    assert troubled.front.count("PutItem") > 2


@pytest.mark.parametrize("fault", [*LOST, RESET, BROKEN])
def test_a_put_whose_outcome_stays_unknown_says_so(troubled: Troubled, fault: str) -> None:
    troubled.front.plan = lambda operation: fault if operation == "PutItem" else WELL
    with pytest.raises(StorageFault, match="may have been applied all the same"):
        troubled.hurried.put(NOTE, Note("n"), expect=NEW)


def test_a_put_that_was_throttled_at_last_but_in_doubt_before_says_so(troubled: Troubled) -> None:
    troubled.front.plan = lambda operation: THROTTLED if troubled.front.count("PutItem") else RESET_AFTER
    with pytest.raises(StorageFault, match="may have been applied all the same"):
        troubled.hurried.put(NOTE, Note("n"), expect=NEW)


def test_a_database_that_nobody_reaches_is_a_fault_of_ours(tmp_path: Path) -> None:
    with aws_at("http://127.0.0.1:1"):
        store = dynamo_at(KINDS, budget_s=0.3)(tmp_path)()
        with pytest.raises(StorageFault, match=r"unreachable.*Nothing was applied"):
            store.put(NOTE, Note("n"), expect=NEW)
        store.close()


def test_what_is_forbidden_is_not_tried_again(troubled: Troubled) -> None:
    troubled.front.plan = lambda operation: DENIED
    with pytest.raises(StorageFault, match="AccessDeniedException"):
        troubled.hurried.put(NOTE, Note("n"), expect=NEW)
    assert troubled.front.count("PutItem") == 1


def test_what_is_forbidden_after_a_doubt_is_still_in_doubt(troubled: Troubled) -> None:
    troubled.front.plan = lambda operation: DENIED if troubled.front.count("PutItem") else RESET_AFTER
    with pytest.raises(StorageFault, match=r"AccessDeniedException.*may have been applied all the same"):
        troubled.hurried.put(NOTE, Note("n"), expect=NEW)


def test_without_credentials_nothing_is_called(
    troubled: Troubled, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    aws.forget()
    store = dynamo_at(KINDS)(tmp_path)()
    with pytest.raises(StorageFault, match="NoCredentials"):
        store.get(NOTE, "n")
    store.close()
    aws.forget()


# Reading


@pytest.mark.parametrize("fault", [*LOST, *SOME])
def test_a_document_is_read_whatever_went_wrong_once(troubled: Troubled, fault: str) -> None:
    fill(troubled.store, Note("n"))
    troubled.front.script("GetItem", fault)
    assert troubled.store.get(NOTE, "n").value == Note("n")


@pytest.mark.parametrize("operation", ["Query", "BatchGetItem"])
def test_a_list_is_read_whatever_went_wrong_on_the_way(troubled: Troubled, operation: str) -> None:
    fill(troubled.store, *(Note(f"n{number}") for number in range(9)))
    troubled.front.script(operation, THROTTLED, RESET, BROKEN)
    assert listed(troubled.store, newest_first=False) == [f"n{number}" for number in range(9)]


def test_documents_that_a_batch_left_out_are_asked_for_again(troubled: Troubled) -> None:
    fill(troubled.store, *(Note(f"n{number}") for number in range(9)))
    troubled.front.script("BatchGetItem", PARTIAL, PARTIAL)
    assert listed(troubled.store, newest_first=False) == [f"n{number}" for number in range(9)]
    assert troubled.front.count("BatchGetItem") == 3


def test_batches_that_are_never_served_are_a_fault(troubled: Troubled) -> None:
    fill(troubled.store, *(Note(f"n{number}") for number in range(60)))
    troubled.front.plan = lambda operation: THROTTLED if operation == "BatchGetItem" else WELL
    with pytest.raises(StorageFault, match="did not serve BatchGetItem"):
        troubled.hurried.find(NOTE, "by_time", "shop")
