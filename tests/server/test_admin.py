"""Chores of whoever runs the installation: keys are rotated and chains verified."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from chalicelib.services.audit import entries_of, verify
from chalicelib.services.change import CONNECTIONS, update
from chalicelib.services.configuration import Configuration
from chalicelib.services.configure_connections import create_connection, delete_connection, read_connection
from chalicelib.services.configure_subscriptions import create_subscription, read_subscription
from chalicelib.services.kinds import AUDIT, CONNECTION, audit_key, connection_key
from chalicelib.services.ports import Ports
from chalicelib.wiring import Wiring
from server.admin import main
from tests.services.configured import ACTOR, SHOP, connection_body, ports_at, subscription_body


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


def test_an_expected_head_that_is_gone_ends_with_an_error(wired: Wiring, ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    assert main(["audit-verify", "--merchant", SHOP, "--expect-head", "f" * 64], wired) == 1


def test_an_expected_head_needs_its_merchant_account(wired: Wiring) -> None:
    assert main(["audit-verify", "--expect-head", "f" * 64], wired) == 2
