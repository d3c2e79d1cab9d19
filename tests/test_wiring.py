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
