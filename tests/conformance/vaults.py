"""Every vault the conformance suite runs for. A new vault is one entry in VAULTS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.vault import Vault
from chalicelib.outbound import aws
from chalicelib.vault.keyring import KeyRing
from chalicelib.vault.kms import KmsVault
from tests.servers.aws import in_aws

Start = Callable[[], str]  # gives a stand-in's endpoint


@dataclass(frozen=True, slots=True)
class OpenVault:
    """`reopen` gives another vault over the same keys, as another process has it."""

    vault: Vault
    reopen: Callable[[], Vault]


class KeyRingHarness:
    @contextmanager
    def open_for_test(self, tmp_path: Path, start: Start) -> Iterator[OpenVault]:
        path = tmp_path / "keys.json"
        yield OpenVault(KeyRing(path), lambda: KeyRing(path))

    def __str__(self) -> str:
        return "keyring"


class KmsHarness:
    @contextmanager
    def open_for_test(self, tmp_path: Path, start: Start) -> Iterator[OpenVault]:
        with in_aws(start()):
            keys = kms_keys()
            yield OpenVault(KmsVault(*keys), lambda: KmsVault(*keys))

    def __str__(self) -> str:
        return "kms"


def kms_keys() -> tuple[str, str, str]:
    """New keys for credentials, webhook secrets and links."""
    client = aws.client("kms")
    made = [
        client.create_key(),
        client.create_key(),
        client.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"),
    ]
    credentials, webhooks, links = (str(one["KeyMetadata"]["Arn"]) for one in made)
    return credentials, webhooks, links


Harness = Any  # one of the classes above: `open_for_test(tmp_path, start)`, and its name as `str`
VAULTS: tuple[Harness, ...] = (KeyRingHarness(), pytest.param(KmsHarness(), marks=pytest.mark.xdist_group("ministack")))
