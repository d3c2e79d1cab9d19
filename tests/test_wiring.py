"""What a start does with a database that is down, full or of another version."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from chalicelib.contracts.store import Store
from chalicelib.domain.errors import Fault, StorageFault, StorageFull, StorageReadOnly, StorageTooNew
from chalicelib.settings import Settings
from chalicelib.wiring import Wiring


@pytest.fixture
def wired(tmp_path: Path) -> Wiring:
    return Wiring(Settings(var=tmp_path, issuer="https://issuer.example/realm"))


def test_the_folder_of_everything_is_private_to_its_user(tmp_path: Path) -> None:
    made = Wiring(Settings(var=tmp_path / "var", issuer="https://issuer.example/realm"))
    made.assemble()
    made.store.close()
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("fault", [StorageFault, StorageFull, StorageReadOnly])
def test_a_database_that_can_not_be_migrated_now_is_no_reason_not_to_start(wired: Wiring, fault: type[Fault]) -> None:
    def refuse() -> None:
        raise fault("The database is in no state to be migrated.")

    wired.__dict__["store"] = cast(Store, SimpleNamespace(migrate=refuse))
    wired.assemble()
    assert wired.intake is not None


def test_a_database_of_a_newer_version_is_not_served(wired: Wiring, tmp_path: Path) -> None:
    wired.assemble()
    wired.store.close()
    with sqlite3.connect(tmp_path / "payments.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StorageTooNew):
        Wiring(wired.settings).assemble()


KEYS = {"vault_key": "alias/a", "webhook_vault_key": "alias/b", "link_key": "alias/c"}
QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/paymentserver"


def test_settings_choose_what_is_behind_the_ports(tmp_path: Path) -> None:
    here = Wiring(Settings(var=tmp_path))
    there = Wiring(Settings(var=tmp_path, queue_url=QUEUE_URL, **KEYS))
    chosen = [(type(one.queue).__name__, type(one.vault).__name__) for one in (here, there)]
    assert chosen == [("EmbeddedQueue", "KeyRing"), ("SqsQueue", "KmsVault")]


def test_no_folder_is_made_where_nothing_is_kept_on_this_machine(tmp_path: Path) -> None:
    database_url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    settings = Settings(var=tmp_path / "var", database_url=database_url, queue_url=QUEUE_URL, **KEYS)
    made = Wiring(settings)
    made.assemble()
    made.store.close()
    assert not (tmp_path / "var").exists()


def test_wiring_asks_nothing_of_the_vault_and_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start must work while they are out of reach, and a webhook pays for no key of links."""
    monkeypatch.setattr("chalicelib.outbound.aws.client", lambda *_: pytest.fail("AWS was asked"))
    made = Wiring(Settings(var=tmp_path, queue_url=QUEUE_URL, **KEYS))
    made.assemble()
    made.store.close()
    assert not (tmp_path / "keyring.json").exists()


def test_the_key_ring_is_made_with_the_first_secret(wired: Wiring, tmp_path: Path) -> None:
    wired.assemble()
    assert not (tmp_path / "keyring.json").exists()
    assert len(wired.ports.return_key()) == 32
    assert (tmp_path / "keyring.json").exists()
    wired.store.close()
