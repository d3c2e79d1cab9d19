"""Keys are rotated on AWS KMS as on a key ring: every secret is sealed again, each under the key of its use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from chalicelib.contracts.vault import Use
from chalicelib.services.configuration import Configuration
from chalicelib.services.configure_connections import create_connection, read_connection
from chalicelib.vault.kms import KmsVault
from chalicelib.wiring import Wiring
from server.admin import main
from tests.conformance.vaults import kms_keys
from tests.servers.aws import in_aws
from tests.services.configured import ACTOR, SHOP, connection_body, ports_at

pytestmark = pytest.mark.xdist_group("ministack")


def test_rotation_seals_with_new_data_keys_and_the_secrets_stay(
    tmp_path: Path, ministack_at: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with in_aws(ministack_at):
        vault = KmsVault(*kms_keys())
        ports = replace(ports_at(tmp_path), vault=vault)
        create_connection(ports, ACTOR, SHOP, connection_body(webhook_secret="hook"))
        before = read_connection(ports, SHOP, "toy-nl").secrets
        assert main(["rotate-keys"], cast(Wiring, SimpleNamespace(ports=ports, store=ports.store, vault=vault))) == 0
        after = read_connection(ports, SHOP, "toy-nl").secrets
        uses = {"api_key": Use.CREDENTIALS, "webhook_secret": Use.WEBHOOKS}
        assert [vault.is_current(before[at], use=use) for at, use in uses.items()] == [False, False]
        assert [vault.is_current(after[at], use=use) for at, use in uses.items()] == [True, True]
        live = Configuration(ports).connection(SHOP, "toy-nl")
        assert sorted(live.secrets) == ["hook", "key-of-nl"]
    assert "a new data key under each KMS key" in (told := capsys.readouterr().out)
    assert "2 secrets of 1 objects were sealed again" in told
