"""The audit log: every change exactly once, in a chain that shows tampering."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.contracts.store import NEW
from chalicelib.domain.configuration import AuditEntry
from chalicelib.routing.rules import RouteChange
from chalicelib.services.audit import (
    FIRST_PREVIOUS_HASH,
    INSTALLATION,
    Change,
    append,
    draft_of,
    entries_of,
    merchants_of,
    verify,
)
from chalicelib.services.change import sweep_audit
from chalicelib.services.configure_connections import create_connection, delete_connection
from chalicelib.services.configure_routes import create_route, list_versions, update_route
from chalicelib.services.kinds import AUDIT, CONNECTION, DUE, KINDS, ROUTE, audit_key
from chalicelib.services.ports import Ports
from chalicelib.storage.sql import SqlStore
from tests.services.configured import (
    ACTOR,
    SHOP,
    Killed,
    MortalStore,
    MovingClock,
    connection_body,
    ports_at,
    route_body,
    with_store,
)

THREADS = 16
CHANGE = Change("update", "connection", "toy-nl", {"a": 1}, {"a": 2})


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    return ports_at(tmp_path, MortalStore())


def told(ports: Ports) -> list[tuple[str, str, str]]:
    chain = entries_of(ports.store, SHOP)
    return [(entry.draft.action, entry.draft.object_kind, entry.draft.object_id) for entry in chain]


def appended(ports: Ports, count: int) -> list[AuditEntry]:
    return [append(ports, SHOP, draft_of(ports, ACTOR, SHOP, CHANGE)) for _ in range(count)]


def tamper(ports: Ports, sequence: int, change: Callable[[AuditEntry], AuditEntry]) -> None:
    stored = ports.store.get(AUDIT, audit_key(SHOP, sequence))
    ports.store.put(AUDIT, change(stored.value), expect=stored.version)


def test_every_change_stands_in_the_chain_with_who_made_it(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    delete_connection(ports, ACTOR, SHOP, "toy-nl", 1)
    assert told(ports) == [("create", "connection", "toy-nl"), ("delete", "connection", "toy-nl")]
    first, last = (entry.draft for entry in entries_of(ports.store, SHOP))
    assert (first.actor, first.client, first.request_id, first.before, last.after) == (
        "operator",
        "studio",
        "req_1",
        None,
        None,
    )


def test_the_chain_holds_no_secret(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    assert "key-of-nl" not in repr(list(entries_of(ports.store, SHOP)))


def test_a_settled_change_carries_no_draft(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    assert not ports.store.find(CONNECTION, "audit_due", DUE).items


def test_the_first_entry_follows_64_zeros_and_each_other_the_one_before(ports: Ports) -> None:
    chain = appended(ports, 3)
    assert [entry.previous_hash for entry in chain] == [FIRST_PREVIOUS_HASH, chain[0].hash, chain[1].hash]


def test_an_untouched_chain_holds(ports: Ports) -> None:
    chain = appended(ports, 3)
    found = verify(ports.store, SHOP)
    assert (found.entries, found.head, found.problem) == (3, chain[-1].hash, None)


def test_an_empty_chain_holds(ports: Ports) -> None:
    assert verify(ports.store, SHOP).problem is None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda entry: replace(entry, draft=replace(entry.draft, actor="nobody")), "entry 2 was changed"),
        (lambda entry: replace(entry, draft=replace(entry.draft, after={"a": 3})), "entry 2 was changed"),
        (lambda entry: replace(entry, hash="f" * 64), "entry 2 was changed"),
        (lambda entry: replace(entry, previous_hash="f" * 64), "entry 2 does not follow from the one before it"),
    ],
)
def test_a_changed_entry_is_found(ports: Ports, change: Callable[[AuditEntry], AuditEntry], problem: str) -> None:
    appended(ports, 3)
    tamper(ports, 2, change)
    assert verify(ports.store, SHOP).problem == problem


def test_a_removed_entry_is_found(ports: Ports) -> None:
    appended(ports, 3)
    stored = ports.store.get(AUDIT, audit_key(SHOP, 2))
    ports.store.delete(AUDIT, audit_key(SHOP, 2), expect=stored.version)
    assert verify(ports.store, SHOP).problem == "entry 2 is missing; 3 comes next"


def test_an_end_cut_off_is_found_by_a_head_noted_earlier(ports: Ports) -> None:
    head = appended(ports, 3)[-1].hash
    stored = ports.store.get(AUDIT, audit_key(SHOP, 3))
    ports.store.delete(AUDIT, audit_key(SHOP, 3), expect=stored.version)
    assert "is not in the chain" in str(verify(ports.store, SHOP, head).problem)


def test_a_head_noted_earlier_is_good_after_further_changes(ports: Ports) -> None:
    head = appended(ports, 2)[-1].hash
    appended(ports, 2)
    assert verify(ports.store, SHOP, head).problem is None


def test_a_draft_is_appended_once_however_often_it_is_tried(ports: Ports) -> None:
    draft = draft_of(ports, ACTOR, SHOP, CHANGE)
    first = append(ports, SHOP, draft)
    appended(ports, 3)
    assert append(ports, SHOP, draft) == first
    assert verify(ports.store, SHOP).entries == 4


def test_sixteen_threads_append_to_one_chain(ports: Ports) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: appended(ports, 5), range(THREADS)))
    found = verify(ports.store, SHOP)
    assert (found.entries, found.problem) == (THREADS * 5, None)


def test_sixteen_threads_append_one_draft_once(ports: Ports) -> None:
    draft = draft_of(ports, ACTOR, SHOP, CHANGE)
    with ThreadPoolExecutor(THREADS) as pool:
        places = list(pool.map(lambda _: append(ports, SHOP, draft).sequence, range(THREADS)))
    assert (set(places), verify(ports.store, SHOP).entries) == ({1}, 1)


def test_merchant_accounts_have_chains_of_their_own(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    create_connection(ports, ACTOR, "other", connection_body())
    assert [verify(ports.store, one).entries for one in (SHOP, "other")] == [1, 1]


def test_the_installation_names_each_merchant_account_once(ports: Ports) -> None:
    appended(ports, 3)
    append(ports, "other", draft_of(ports, ACTOR, "other", CHANGE))
    assert (merchants_of(ports.store), verify(ports.store, INSTALLATION).problem) == ([SHOP, "other"], None)


@pytest.mark.parametrize("moment", ["dies_before", "dies_after"])
@pytest.mark.parametrize("put", [1, 2, 3, 4])
def test_a_connection_created_in_a_crash_is_audited_once_or_not_there(ports: Ports, moment: str, put: int) -> None:
    store = _die(ports, moment, put)
    with pytest.raises(Killed):
        create_connection(ports, ACTOR, SHOP, connection_body())
    _recover(ports, store)
    there = bool(ports.store.find(CONNECTION, "by_merchant", SHOP).items)
    assert told(ports) == ([("create", "connection", "toy-nl")] if there else [])
    assert not ports.store.find(CONNECTION, "audit_due", DUE).items


@pytest.mark.parametrize("moment", ["dies_before", "dies_after"])
@pytest.mark.parametrize("put", [1, 2, 3, 4])
def test_a_route_changed_in_a_crash_loses_no_version_and_no_entry(ports: Ports, moment: str, put: int) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    store = _die(ports, moment, put)
    with pytest.raises(Killed):
        update_route(ports, ACTOR, SHOP, "default", _hold(), 1)
    _recover(ports, store)
    version = ports.store.find(ROUTE, "by_merchant", SHOP).items[0].value.version
    kept = [one.value.version for one in list_versions(ports, SHOP, "default", after=None, limit=50).items]
    assert kept == list(range(version, 0, -1))
    assert told(ports)[2:] == [("update", "route", "default")] * (version - 1)


def test_a_change_upon_an_unsettled_one_keeps_both_versions_and_entries(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    store = _die(ports, "dies_after", 1)
    with pytest.raises(Killed):
        update_route(ports, ACTOR, SHOP, "default", _hold(), 1)
    store.dies_after = None
    update_route(ports, ACTOR, SHOP, "default", _hold(), 2)
    assert [one.value.version for one in list_versions(ports, SHOP, "default", after=None, limit=50).items] == [3, 2, 1]
    assert told(ports)[2:] == [("update", "route", "default")] * 2


def test_the_sweep_leaves_fresh_drafts_to_whoever_made_them(ports: Ports) -> None:
    store = _die(ports, "dies_after", 1)
    with pytest.raises(Killed):
        create_connection(ports, ACTOR, SHOP, connection_body())
    store.dies_after = None
    assert sweep_audit(ports) == 0


def test_a_change_stands_while_its_audit_entry_can_not_be_written(ports: Ports) -> None:
    store = ports.store
    assert isinstance(store, MortalStore)
    store.sick = True
    assert create_connection(ports, ACTOR, SHOP, connection_body()).version == 1
    store.sick = False
    _recover(ports, store)
    assert told(ports) == [("create", "connection", "toy-nl")]


def test_a_process_that_wakes_after_the_sweep_appends_nothing_twice(ports: Ports) -> None:
    store = _die(ports, "dies_after", 1)
    with pytest.raises(Killed):
        create_connection(ports, ACTOR, SHOP, connection_body())
    sleeping = ports.store.find(CONNECTION, "by_merchant", SHOP).items[0].value.unaudited[0]
    _recover(ports, store)
    append(ports, SHOP, sleeping)
    assert told(ports) == [("create", "connection", "toy-nl")]


def test_the_chain_survives_a_database_file(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'payments.db'}", KINDS)
    try:
        store.migrate()
        create_connection(with_store(ports_at(tmp_path), store), ACTOR, SHOP, connection_body())
        assert (verify(store, SHOP).entries, verify(store, SHOP).problem) == (1, None)
    finally:
        store.close()


def test_an_entry_is_never_written_over(ports: Ports) -> None:
    first = appended(ports, 1)[0]
    with pytest.raises(Exception, match="somebody else"):
        ports.store.put(AUDIT, first, expect=NEW)


def _hold() -> RouteChange:
    return RouteChange.model_validate({"otherwise": {"use": ["toy-nl"]}, "unanswered": "hold"})


def _die(ports: Ports, moment: str, put: int) -> MortalStore:
    store = ports.store
    assert isinstance(store, MortalStore)
    setattr(store, moment, store.puts + put)
    return store


def _recover(ports: Ports, store: MortalStore) -> None:
    """A new process, a little later."""
    store.dies_before = store.dies_after = None
    assert isinstance(ports.clock, MovingClock)
    ports.clock.pass_s(60)
    sweep_audit(ports)
