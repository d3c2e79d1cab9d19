"""What to enter at the PSP, and webhooks that are made through its API."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.contracts.webhooks import WebhookSetup
from chalicelib.domain.errors import Conflict, NotFound
from chalicelib.services.configuration import Configuration
from chalicelib.services.configure_connections import create_connection, read_connection
from chalicelib.services.ports import Ports
from chalicelib.services.webhook_setup import create_webhook, webhook_setup
from tests.services.configured import ACTOR, SHOP, ToyConnector, answering, connection_body, ports_at


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    return ports_at(tmp_path)


def test_the_address_is_the_one_that_the_internet_reaches(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    found = webhook_setup(ports, SHOP, "toy-nl")
    assert found.setup.url == "https://hooks.pay.example/webhooks/default/toy-nl"
    assert (found.setup.events, found.setup.secret_field, found.has_secret) == (("paid",), "webhook_secret", False)


def test_a_secret_that_is_there_is_told_and_not_shown(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body(webhook_secret="entered-by-hand"))
    found = webhook_setup(ports, SHOP, "toy-nl")
    assert found.has_secret
    assert "entered-by-hand" not in repr(found)


def test_a_webhook_that_is_made_leaves_its_secret_sealed(ports: Ports) -> None:
    with answering(200) as (address, _):
        create_connection(ports, ACTOR, SHOP, connection_body(base_url=address))
        made = create_webhook(ports, ACTOR, SHOP, "toy-nl")
    assert (made.ok, made.detail) == (True, "The PSP made the webhook we_1.")
    kept = read_connection(ports, SHOP, "toy-nl")
    assert "made-by-the-toy" not in repr(kept)
    assert kept.version == 2
    settings = Configuration(ports).connection(SHOP, "toy-nl").connector._settings  # type: ignore[attr-defined]
    assert settings.webhook_secret.get_secret_value() == "made-by-the-toy"
    assert settings.api_key.get_secret_value() == "key-of-nl"


def test_a_second_webhook_is_not_made(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body(webhook_secret="entered-by-hand"))
    with pytest.raises(Conflict, match="already"):
        create_webhook(ports, ACTOR, SHOP, "toy-nl")


class Named(ToyConnector):
    """Its webhooks are verified by a name, which is no secret."""

    def webhook_setup(self, url: str) -> WebhookSetup:
        return WebhookSetup(url, ("paid",), "the toy's box", "its lid", "account", creates=True)


def test_a_webhook_that_is_known_by_its_name_is_told_and_not_made_again(ports: Ports) -> None:
    ports = replace(ports, connectors={"toy": Named})  # type: ignore[dict-item]  # a toy that can not take payments
    create_connection(ports, ACTOR, SHOP, connection_body())
    assert webhook_setup(ports, SHOP, "toy-nl").has_secret
    with pytest.raises(Conflict, match=r"already, in account: .* null there"):
        create_webhook(ports, ACTOR, SHOP, "toy-nl")


def test_a_psp_whose_api_can_not_is_a_conflict(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body(account="by-hand"))
    with pytest.raises(Conflict, match=r"makes no webhook.* by hand, and whether"):
        create_webhook(ports, ACTOR, SHOP, "toy-nl")


def test_a_refusal_tells_wrong_credentials_from_an_outage_and_repeats_no_secret(ports: Ports) -> None:
    with answering(401) as (address, _):
        create_connection(ports, ACTOR, SHOP, connection_body(base_url=address))
        made = create_webhook(ports, ACTOR, SHOP, "toy-nl")
    assert (made.ok, made.problem, made.detail) == (False, "credentials", "not with ********")
    assert create_webhook(ports, ACTOR, SHOP, "toy-nl").problem == "outage"  # nobody listens there any more
    assert read_connection(ports, SHOP, "toy-nl").version == 1


def test_nobodys_connection_has_no_webhook(ports: Ports) -> None:
    for asked in (lambda: webhook_setup(ports, SHOP, "toy-nl"), lambda: create_webhook(ports, ACTOR, SHOP, "toy-nl")):
        with pytest.raises(NotFound):
            asked()
