"""Two webhook secrets may be live while one replaces the other, and a change of them counts within 5 s."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.connectors.registry import connectors
from chalicelib.domain.errors import SignatureInvalid
from chalicelib.services.configuration import Configuration
from chalicelib.services.configure_connections import (
    ConnectionBody,
    ConnectionChange,
    create_connection,
    delete_connection,
    read_connection,
    update_connection,
)
from chalicelib.services.configured_view import connection_view
from chalicelib.services.intake import Intake
from chalicelib.services.ports import Ports
from dev.sandbox.outbox import signature
from tests.services.configured import ACTOR, SHOP, ports_at

OLD, NEW_ONE, FOREIGN = "hook-secret-old", "hook-secret-new", "hook-secret-foreign"
SETTINGS = {"base_url": "http://127.0.0.1:9/psp", "account": "nl", "api_key": "key-of-nl", "webhook_secret": OLD}
BODY = b'{"data": {}}'


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    ports = replace(ports_at(tmp_path), connectors=connectors(development=True))
    create_connection(ports, ACTOR, SHOP, ConnectionBody(id="psp-nl", connector="sandbox", settings=dict(SETTINGS)))
    return ports


def change(ports: Ports, **settings: str | None) -> None:
    """What a read shows is sent back whole, with these settings instead; None leaves one out."""
    present = read_connection(ports, SHOP, "psp-nl")
    wanted = {**connection_view(present)["settings"], **settings}
    body = ConnectionChange(settings={name: text for name, text in wanted.items() if text is not None})
    update_connection(ports, ACTOR, SHOP, "psp-nl", body, present.version)


def accepted(ports: Ports) -> list[str]:
    """The secrets whose signature is taken, by a process that has nothing cached."""
    intake = Intake(ports, Configuration(ports))
    taken = []
    for secret in (OLD, NEW_ONE, FOREIGN):
        header = signature(BODY, [secret], int(ports.clock.now().timestamp()))
        try:
            intake.take(SHOP, "psp-nl", {"sandbox-signature": header}, BODY)
        except SignatureInvalid:
            continue
        taken.append(secret)
    return taken


def test_both_secrets_are_taken_during_a_rotation(ports: Ports) -> None:
    change(ports, webhook_secret=NEW_ONE, webhook_secret_previous=OLD)
    assert accepted(ports) == [OLD, NEW_ONE]


def test_the_former_secret_ends_when_it_is_left_out(ports: Ports) -> None:
    change(ports, webhook_secret=NEW_ONE, webhook_secret_previous=OLD)
    change(ports, webhook_secret_previous=None)
    assert accepted(ports) == [NEW_ONE]


def test_a_change_of_something_else_keeps_both(ports: Ports) -> None:
    change(ports, webhook_secret=NEW_ONE, webhook_secret_previous=OLD)
    change(ports, api_key="key-of-nl-2")
    assert accepted(ports) == [OLD, NEW_ONE]


def test_a_deleted_connection_still_takes_its_webhooks(ports: Ports) -> None:
    delete_connection(ports, ACTOR, SHOP, "psp-nl", 1)
    assert accepted(ports) == [OLD]
