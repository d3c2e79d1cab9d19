"""A server is ready where a secret that payments need can be opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.errors import VaultFault
from chalicelib.outbound import aws
from chalicelib.services.configure_connections import (
    ConnectionChange,
    create_connection,
    delete_connection,
    update_connection,
)
from chalicelib.services.ports import Ports
from chalicelib.services.prove_vault import VaultProof
from chalicelib.storage.memory import MemoryStore
from chalicelib.vault.keyring import KeyRing
from chalicelib.vault.kms import KmsVault
from tests.conformance.vaults import kms_keys
from tests.servers.aws import in_aws
from tests.services.configured import ACTOR, SHOP, connection_body, ports_at


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    return ports_at(tmp_path)


def restarted(ports: Ports, ring: Path) -> Ports:
    """Another process over the same database, with the key ring that is there now."""
    return replace(ports, vault=KeyRing(ring))


def lost(path: Path) -> None:
    path.unlink()


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def anothers(path: Path) -> None:
    path.unlink()
    KeyRing(path).seal("secret", context="")


def readable_by_others(path: Path) -> None:
    path.chmod(0o644)


@pytest.mark.parametrize("harm", [lost, cut_off, anothers, readable_by_others])
def test_a_key_ring_that_does_not_open_what_is_stored_is_found_at_the_start(
    ports: Ports, tmp_path: Path, harm: Callable[[Path], Any]
) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    VaultProof(restarted(ports, tmp_path / "keyring.json")).check()
    harm(tmp_path / "keyring.json")
    with pytest.raises(VaultFault):
        VaultProof(restarted(ports, tmp_path / "keyring.json")).check()


def test_another_key_ring_in_the_place_of_ours_is_found_while_it_runs(
    ports: Ports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.vault.keyring.CHECK_EVERY_S", 0.0)
    create_connection(ports, ACTOR, SHOP, connection_body())
    proof = VaultProof(ports)
    proof.check()
    ours = (tmp_path / "keyring.json").rename(tmp_path / "ours.json")
    KeyRing(tmp_path / "other.json").seal("secret", context="")
    (tmp_path / "other.json").rename(tmp_path / "keyring.json")
    with pytest.raises(VaultFault):
        proof.check()
    ours.rename(tmp_path / "keyring.json")
    proof.check()


def test_where_nothing_is_sealed_nothing_need_open(ports: Ports, tmp_path: Path) -> None:
    VaultProof(ports).check()
    assert not (tmp_path / "keyring.json").exists(), "a look makes no key ring"


def test_one_connection_that_was_entered_again_is_enough(ports: Ports, tmp_path: Path) -> None:
    """After a loss each connection is mended by itself, and payments go there meanwhile."""
    for name in ("toy-nl", "toy-be"):
        create_connection(ports, ACTOR, SHOP, connection_body(id=name))
    anothers(tmp_path / "keyring.json")
    later = restarted(ports, tmp_path / "keyring.json")
    again = ConnectionChange(settings={**connection_body().settings, "api_key": "entered again"})
    update_connection(later, ACTOR, SHOP, "toy-nl", again, 1)
    VaultProof(later).check()


@pytest.mark.parametrize("ended", ["disabled", "deleted"])
def test_what_takes_no_payments_need_not_open(ports: Ports, tmp_path: Path, ended: str) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    if ended == "deleted":
        delete_connection(ports, ACTOR, SHOP, "toy-nl", 1)
    else:
        update_connection(ports, ACTOR, SHOP, "toy-nl", ConnectionChange(enabled=False), 1)
    anothers(tmp_path / "keyring.json")
    VaultProof(restarted(ports, tmp_path / "keyring.json")).check()


class CountedStore(MemoryStore):
    found = 0

    def find(self, *given: Any, **named: Any) -> Any:
        self.found += 1
        return super().find(*given, **named)


def test_while_it_opens_the_database_is_not_asked_again(tmp_path: Path) -> None:
    ports = ports_at(tmp_path, store := CountedStore())
    create_connection(ports, ACTOR, SHOP, connection_body())
    proof = VaultProof(ports)
    proof.check()
    before = store.found
    for _ in range(3):
        proof.check()
    assert store.found == before > 0


def test_kms_is_asked_once_for_as_long_as_its_answer_is_kept(
    ports: Ports, ministack_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    call = aws.call

    def counted(service: str, operation: str, *given: Any, **named: Any) -> Any:
        asked.append(operation)
        return call(service, operation, *given, **named)

    with in_aws(ministack_at):
        keys = kms_keys()
        create_connection(replace(ports, vault=KmsVault(*keys)), ACTOR, SHOP, connection_body())
        monkeypatch.setattr(aws, "call", counted)
        proof = VaultProof(replace(ports, vault=KmsVault(*keys)))
        for _ in range(5):
            proof.check()
        assert asked == ["decrypt"]
        aws.client("kms").disable_key(KeyId=keys[0])
        with pytest.raises(VaultFault):
            VaultProof(replace(ports, vault=KmsVault(*keys))).check()
