"""Chores of whoever runs the installation: keys are rotated and chains verified."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from chalicelib.contracts.store import NEW, Store
from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change
from chalicelib.domain.errors import VaultFault
from chalicelib.services.audit import INSTALLATION, entries_of, verify
from chalicelib.services.audit_objects import contradiction_of
from chalicelib.services.change import CONNECTIONS, update
from chalicelib.services.configuration import Configuration
from chalicelib.services.configure_connections import (
    ConnectionChange,
    create_connection,
    delete_connection,
    read_connection,
    update_connection,
)
from chalicelib.services.configure_routes import create_route, delete_route
from chalicelib.services.configure_subscriptions import (
    add_signing_secret,
    create_subscription,
    end_signing_secret,
    list_subscriptions,
    read_subscription,
)
from chalicelib.services.kinds import AUDIT, CONNECTION, KINDS, PAYMENT, audit_key, connection_key
from chalicelib.services.ports import Ports
from chalicelib.services.reseal import has_sealed
from chalicelib.services.secrets import opened_settings
from chalicelib.storage.memory import MemoryStore
from chalicelib.storage.sql import SqlStore
from chalicelib.vault.keyring import KeyRing
from chalicelib.wiring import Wiring
from server.admin import main
from tests.builders import NOW, opened, payment
from tests.services.configured import (
    ACTOR,
    SHOP,
    ToySettings,
    connection_body,
    ports_at,
    route_body,
    subscription_body,
    with_store,
)
from tests.storage.children import in_children


@pytest.fixture
def wired(tmp_path: Path) -> Wiring:
    ports = ports_at(tmp_path)
    return cast(Wiring, SimpleNamespace(ports=ports, store=ports.store, vault=ports.vault))


@pytest.fixture
def ports(wired: Wiring) -> Ports:
    return wired.ports


def test_rotation_seals_every_secret_with_the_newest_key(wired: Wiring, ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body(headers={"X-Key": "x"}))
    made, _ = create_subscription(ports, ACTOR, "other", subscription_body())
    assert main(["rotate-keys"], wired) == 0
    connection, subscription = read_connection(ports, SHOP, "toy-nl"), read_subscription(ports, "other", made.id)
    tokens = [*connection.secrets.values(), *(one.sealed for one in subscription.signing)]
    assert [ports.vault.is_current(token) for token in tokens] == [True, True, True]


def test_rotation_leaves_secrets_and_versions_as_they_are(wired: Wiring, ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    main(["rotate-keys"], wired)
    live = Configuration(ports).connection(SHOP, "toy-nl")
    assert live.connector._settings.api_key.get_secret_value() == "key-of-nl"  # type: ignore[attr-defined]
    assert live.connection.version == 1


def test_rotation_reaches_deleted_connections(wired: Wiring, ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    delete_connection(ports, ACTOR, SHOP, "toy-nl", 1)
    main(["rotate-keys"], wired)
    kept = ports.store.get(CONNECTION, connection_key(SHOP, "toy-nl")).value
    assert ports.vault.is_current(kept.secrets["api_key"])


def test_rotation_is_audited(wired: Wiring, ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    main(["rotate-keys"], wired)
    assert [entry.draft.action for entry in entries_of(ports.store, SHOP)] == ["create", "reseal"]


def test_rotation_says_what_it_did(wired: Wiring, ports: Ports, capsys: pytest.CaptureFixture[str]) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    main(["rotate-keys"], wired)
    assert "1 secrets of 1 objects were sealed again" in capsys.readouterr().out


@pytest.fixture
def lost(wired: Wiring, ports: Ports, tmp_path: Path) -> Wiring:
    """The installation without the key ring that sealed a connection's and a subscription's secrets; another connection was
    deleted before."""
    create_connection(ports, ACTOR, SHOP, connection_body())
    create_connection(ports, ACTOR, SHOP, connection_body("toy-gone"))
    delete_connection(ports, ACTOR, SHOP, "toy-gone", 1)
    create_subscription(ports, ACTOR, "other", subscription_body())
    (tmp_path / "keyring.json").unlink()
    return wired_at(tmp_path, ports.store)


def wired_at(folder: Path, store: Store) -> Wiring:
    """As a process that starts now."""
    vault = KeyRing(folder / "keyring.json", has_sealed=lambda: has_sealed(store))
    return cast(Wiring, SimpleNamespace(ports=replace(ports_at(folder, store), vault=vault), store=store, vault=vault))


def test_without_the_ring_that_sealed_what_is_stored_nothing_is_sealed(
    lost: Wiring, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(VaultFault, match="restore it from its backup"):
        create_connection(lost.ports, ACTOR, SHOP, connection_body("toy-de"))
    assert main(["rotate-keys"], lost) == 1
    assert "new-key-ring" in capsys.readouterr().err


def test_a_new_ring_says_what_is_to_be_entered_again_and_is_audited(
    lost: Wiring, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new-key-ring"], lost) == 0
    told = capsys.readouterr().out
    assert f"merchant account {SHOP}: connection toy-nl\n" in told
    assert f"merchant account {SHOP}: connection toy-gone (deleted)\n" in told
    assert "merchant account other: subscription sub_" in told
    assert [*entries_of(lost.store, INSTALLATION)][-1].draft.object_kind == "vault_key"
    assert main(["new-key-ring"], lost) == 1
    assert "nothing is lost" in capsys.readouterr().err


def test_after_a_new_ring_secrets_can_be_entered_again(lost: Wiring) -> None:
    main(["new-key-ring"], lost)
    settings = {**connection_body().settings, "api_key": "anew"}
    update_connection(lost.ports, ACTOR, SHOP, "toy-nl", ConnectionChange(settings=settings), 1)
    live = Configuration(lost.ports).connection(SHOP, "toy-nl")
    assert live.connector._settings.api_key.get_secret_value() == "anew"  # type: ignore[attr-defined]
    (one,) = list_subscriptions(lost.ports, "other", after=None, limit=2).items
    made, _ = add_signing_secret(lost.ports, ACTOR, "other", one.value.id)
    assert lost.vault.is_current(made.sealed)


def test_before_anything_is_stored_the_first_secret_makes_the_ring(tmp_path: Path) -> None:
    store = MemoryStore()
    create_connection(wired_at(tmp_path, store).ports, ACTOR, SHOP, connection_body())
    create_connection(wired_at(tmp_path, store).ports, ACTOR, SHOP, connection_body("toy-de"))
    sealed = [store.get(CONNECTION, connection_key(SHOP, id)).value.secrets["api_key"] for id in ("toy-nl", "toy-de")]
    vault = wired_at(tmp_path, store).vault
    assert [vault.is_current(one) for one in sealed] == [True, True]


def test_rotations_at_once_beside_changes_leave_the_newest_key_alone(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'payments.db'}", KINDS)
    store.migrate()
    ports = with_store(ports_at(tmp_path), store)
    names = [f"toy-{number}" for number in range(6)]
    for name in names:
        create_connection(ports, ACTOR, SHOP, connection_body(name))

    def work(number: int) -> int:
        if number < 2:
            return main(["rotate-keys"], cast(Wiring, SimpleNamespace(ports=ports, store=store, vault=ports.vault)))
        for name in names:
            settings = {**connection_body(name).settings, "api_key": f"key-of-{name}"}
            update_connection(ports, ACTOR, SHOP, name, ConnectionChange(settings=settings), 1)
        return 0

    assert in_children(3, work) == [0, 0, 0]
    main(["rotate-keys"], cast(Wiring, SimpleNamespace(ports=ports, store=store, vault=ports.vault)))
    for name in names:
        kept = read_connection(ports, SHOP, name)
        assert ports.vault.is_current(kept.secrets["api_key"])
        settings = opened_settings(ports.vault, kept, ToySettings)
        assert settings.api_key.get_secret_value() == f"key-of-{name}"  # type: ignore[attr-defined]
    assert (verify(store, SHOP).problem, contradiction_of(store, SHOP)) == (None, None)
    store.close()


def test_good_chains_are_reported_with_their_heads(
    wired: Wiring, ports: Ports, capsys: pytest.CaptureFixture[str]
) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    assert main(["audit-verify"], wired) == 0
    assert (
        f"merchant account {SHOP}: 1 entries, head {verify(ports.store, SHOP).head}: holds" in capsys.readouterr().out
    )


def test_a_broken_chain_ends_with_an_error(wired: Wiring, ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    update(ports, CONNECTIONS, connection_key(SHOP, "toy-nl"), None, lambda one: one, ACTOR)
    stored = ports.store.get(AUDIT, audit_key(SHOP, 1))
    ports.store.delete(AUDIT, audit_key(SHOP, 1), expect=stored.version)
    assert main(["audit-verify", "--merchant", SHOP], wired) == 1


def remove_entry(ports: Ports, sequence: int) -> None:
    stored = ports.store.get(AUDIT, audit_key(SHOP, sequence))
    ports.store.delete(AUDIT, audit_key(SHOP, sequence), expect=stored.version)


def audit_verdict(wired: Wiring, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of the shop's chain, behind the colon."""
    capsys.readouterr()
    code = main(["audit-verify"], wired)
    verdict = capsys.readouterr().out.splitlines()[1].rpartition(": ")[2]
    assert code == (verdict != "holds")
    return verdict


def test_an_end_that_was_cut_off_is_found_by_the_object_it_told_of(
    wired: Wiring, ports: Ports, capsys: pytest.CaptureFixture[str]
) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    update_connection(ports, ACTOR, SHOP, "toy-nl", ConnectionChange(enabled=False), 1)
    remove_entry(ports, 2)
    assert audit_verdict(wired, capsys) == "the connection toy-nl is not as its newest entry says"


def test_a_creation_that_was_cut_off_is_found(wired: Wiring, ports: Ports, capsys: pytest.CaptureFixture[str]) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    remove_entry(ports, 2)
    assert audit_verdict(wired, capsys) == "the route default is in the database, but not in the log"


def test_a_log_that_was_removed_whole_is_found(wired: Wiring, ports: Ports, capsys: pytest.CaptureFixture[str]) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    remove_entry(ports, 1)
    assert "all of its log was removed" in audit_verdict(wired, capsys)


def test_a_merchant_account_that_is_not_there_does_not_hold(wired: Wiring) -> None:
    assert main(["audit-verify", "--merchant", "nobody"], wired) == 1


def test_a_change_behind_the_servers_back_is_found(
    wired: Wiring, ports: Ports, capsys: pytest.CaptureFixture[str]
) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    stored = ports.store.get(CONNECTION, connection_key(SHOP, "toy-nl"))
    settings = {**stored.value.settings, "base_url": "http://127.0.0.1:666/"}
    ports.store.put(CONNECTION, replace(stored.value, settings=settings), expect=stored.version)
    assert audit_verdict(wired, capsys) == "the connection toy-nl is not as its newest entry says"


def test_an_object_that_was_removed_is_found(wired: Wiring, ports: Ports, capsys: pytest.CaptureFixture[str]) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    stored = ports.store.get(CONNECTION, connection_key(SHOP, "toy-nl"))
    ports.store.delete(CONNECTION, connection_key(SHOP, "toy-nl"), expect=stored.version)
    assert audit_verdict(wired, capsys) == "the connection toy-nl is in the log, but not in the database"


def test_every_kind_of_change_agrees_with_its_object(
    wired: Wiring, ports: Ports, capsys: pytest.CaptureFixture[str]
) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    made, _ = create_subscription(ports, ACTOR, SHOP, subscription_body())
    add_signing_secret(ports, ACTOR, SHOP, made.id)
    end_signing_secret(ports, ACTOR, SHOP, made.id, made.signing[0].id)
    delete_route(ports, ACTOR, SHOP, "default", 1)
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    delete_connection(ports, ACTOR, SHOP, "toy-nl", 1)
    main(["rotate-keys"], wired)
    assert audit_verdict(wired, capsys) == "holds"


def test_an_expected_head_that_is_gone_ends_with_an_error(wired: Wiring, ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    assert main(["audit-verify", "--merchant", SHOP, "--expect-head", "f" * 64], wired) == 1


def test_an_expected_head_needs_its_merchant_account(wired: Wiring) -> None:
    assert main(["audit-verify", "--expect-head", "f" * 64], wired) == 2


def test_statistics_are_recounted_for_the_hours_that_are_named(
    wired: Wiring, ports: Ports, capsys: pytest.CaptureFixture[str]
) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    ports.clock.pass_s(3 * 3600)  # type: ignore[attr-defined]
    chore = ["rebuild-statistics", "--from", "2026-03-01", "--to", "2026-03-01T14:00:00+01:00"]
    main(chore, wired)
    ports.store.put(PAYMENT, amend(payment(), Change(facts=(opened(),)), NOW), expect=NEW)
    main(chore, wired)
    ports.store.put(PAYMENT, replace(amend(payment(), Change(facts=(opened(),)), NOW), id="pay_late"), expect=NEW)
    main(chore, wired)
    told = [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()]
    assert told == [
        "0 closed hours recounted, 0 of them corrected",
        "2 closed hours recounted, 0 of them corrected",
        "2 closed hours recounted, 1 of them corrected",
    ]


def test_statistics_are_recounted_for_one_merchant_account_alone(
    wired: Wiring, ports: Ports, capsys: pytest.CaptureFixture[str]
) -> None:
    for merchant_id in (SHOP, "other"):
        create_connection(ports, ACTOR, merchant_id, connection_body())
    main(["rebuild-statistics", "--from", "2026-03-01", "--merchant", "other"], wired)
    assert capsys.readouterr().out.count("merchant account") == 1


def test_a_time_that_is_none_is_a_wrong_call(wired: Wiring) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["rebuild-statistics", "--from", "yesterday"], wired)
