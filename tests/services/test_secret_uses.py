"""Webhook secrets are apart from API credentials: sealed for their own use, and all that taking a webhook in ever opens."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import BaseModel, Field, SecretStr, field_validator

from chalicelib.connectors.registry import connectors
from chalicelib.contracts.conversation import Conversation
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.vault import Use
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.errors import SignatureInvalid, StorageFault, VaultFault
from chalicelib.services.configuration import Configuration
from chalicelib.services.configure_connections import ConnectionBody, create_connection, read_connection
from chalicelib.services.configure_subscriptions import create_subscription
from chalicelib.services.intake import Intake
from chalicelib.services.ports import Ports
from chalicelib.services.reseal import reseal_all
from chalicelib.services.secrets import MASK, opened_settings, secret_fields, use_of, webhook_fields
from dev.sandbox.outbox import signature
from tests.services.configured import ACTOR, SHOP, ToyConnector, ToySettings, ports_at, subscription_body

SETTINGS = {
    "base_url": "http://127.0.0.1:9/psp",
    "account": "nl",
    "api_key": "key-of-nl",
    "webhook_secret": "hook-secret",
}
BODY = b'{"data": {}}'


class UsesVault:
    """Tokens show their use; `may` are the uses that this process may open, and `opened` the fields that it did."""

    def __init__(self) -> None:
        self.may = set(Use)
        self.opened: list[str] = []

    def seal(self, secret: str, *, context: str, use: Use = Use.CREDENTIALS) -> str:
        return f"{use}|{context}|{secret}"

    def open(self, token: str, *, context: str) -> str:
        use, bound, secret = token.split("|")
        assert bound == context
        if Use(use) not in self.may:
            raise VaultFault("KMS' Decrypt: it is not allowed.")
        self.opened.append(context.rpartition("/")[2])
        return secret

    def is_current(self, token: str, *, use: Use = Use.CREDENTIALS) -> bool:
        return token.startswith(f"{use}|")


@pytest.fixture
def vault() -> UsesVault:
    return UsesVault()


@pytest.fixture
def ports(tmp_path: Path, vault: UsesVault) -> Ports:
    made: Ports = replace(
        ports_at(tmp_path),
        connectors={**connectors(development=True), "toy": ToyConnector},
        vault=vault,
    )
    create_connection(made, ACTOR, SHOP, ConnectionBody(id="psp-nl", connector="sandbox", settings=dict(SETTINGS)))
    vault.opened.clear()
    return made


def take(ports: Ports, secret: str = "hook-secret") -> list[str]:
    """The states of the webhooks in the queue once one signed with `secret` came in."""
    header = signature(BODY, [secret], int(ports.clock.now().timestamp()))
    Intake(ports, Configuration(ports)).take(SHOP, "psp-nl", {"sandbox-signature": header}, BODY)
    return [json.loads(message.body)["state"] for message in ports.queue.receive(Topic.INBOUND)]


def test_each_secret_is_sealed_for_its_use(ports: Ports) -> None:
    secrets = read_connection(ports, SHOP, "psp-nl").secrets
    uses = {place: token.partition("|")[0] for place, token in secrets.items()}
    assert uses == {"api_key": "credentials", "webhook_secret": "webhooks"}


def test_what_signs_deliveries_is_a_credential(ports: Ports) -> None:
    made, _ = create_subscription(ports, ACTOR, SHOP, subscription_body())
    assert made.signing[0].sealed.startswith("credentials|")


def test_taking_a_webhook_in_opens_the_webhook_secret_alone(ports: Ports, vault: UsesVault) -> None:
    vault.may = {Use.WEBHOOKS}
    assert take(ports) == ["verified"]
    assert vault.opened == ["webhook_secret"]


def test_a_forgery_is_refused_without_the_credentials(ports: Ports, vault: UsesVault) -> None:
    vault.may = {Use.WEBHOOKS}
    with pytest.raises(SignatureInvalid):
        take(ports, "another-secret")


def test_a_webhook_whose_secret_does_not_open_now_is_queued_unverified(ports: Ports, vault: UsesVault) -> None:
    vault.may = set()
    assert take(ports) == ["unverified"]


def test_a_secret_is_opened_once_for_each_version_of_a_connection(ports: Ports, vault: UsesVault) -> None:
    configuration = Configuration(ports)
    assert configuration.receiving(SHOP, "psp-nl") is configuration.receiving(SHOP, "psp-nl")
    assert vault.opened == ["webhook_secret"]


def test_what_has_its_psp_asked_is_left_to_a_process_with_the_credentials(ports: Ports, vault: UsesVault) -> None:
    class Asking(ToyConnector):
        verifies_offline: ClassVar[bool] = False

        def verify(self, delivery: Delivery) -> Conversation[None]:
            raise AssertionError("it is for `apply` to ask")

    asking = replace(ports, connectors={"sandbox": Asking, "toy": Asking})
    settings = {"base_url": "http://127.0.0.1:9/", "account": "nl", "api_key": "k", "webhook_secret": "w"}
    create_connection(asking, ACTOR, SHOP, ConnectionBody(id="asking", connector="toy", settings=settings))
    vault.may = {Use.WEBHOOKS}
    Intake(asking, Configuration(asking)).take(SHOP, "asking", {}, BODY)
    assert vault.opened == ["webhook_secret"]
    (message,) = asking.queue.receive(Topic.INBOUND)
    assert json.loads(message.body)["state"] == "unverified"


def test_for_payments_every_secret_is_opened(ports: Ports, vault: UsesVault) -> None:
    Configuration(ports).connection(SHOP, "psp-nl")
    assert sorted(vault.opened) == ["api_key", "webhook_secret"]


def test_a_rotation_seals_each_secret_for_its_use(ports: Ports, vault: UsesVault) -> None:
    """As after an update of a connector that says anew which of its secrets verify webhooks."""

    class Former(ToySettings):
        webhook_fields: ClassVar[frozenset[str]] = frozenset()

    class FormerConnector(ToyConnector):
        settings: ClassVar[type[BaseModel]] = Former

    settings = {"base_url": "http://127.0.0.1:9/", "account": "nl", "api_key": "k", "webhook_secret": "w"}
    former = replace(ports, connectors={"toy": FormerConnector})
    create_connection(former, ACTOR, SHOP, ConnectionBody(id="toy-nl", connector="toy", settings=settings))
    assert read_connection(ports, SHOP, "toy-nl").secrets["webhook_secret"].startswith("credentials|")
    assert reseal_all(ports, ACTOR, "newest").secrets == 1
    assert read_connection(ports, SHOP, "toy-nl").secrets["webhook_secret"].startswith("webhooks|")


def test_a_rotation_keeps_the_secrets_of_a_connector_that_is_off(ports: Ports) -> None:
    reseal_all(replace(ports, connectors={}), ACTOR, "newest")
    settings: Any = Configuration(ports).connection(SHOP, "psp-nl").connector
    assert settings._settings.webhook_secret.get_secret_value() == "hook-secret"


class Exacting(BaseModel):
    """Rules that no mask keeps."""

    webhook_fields: ClassVar[frozenset[str]] = frozenset({"webhook_secret"})
    account: int
    api_key: SecretStr = Field(min_length=40)
    pin: Annotated[SecretStr, Field(pattern=r"^[0-9]{4}$")]
    webhook_secret: SecretStr = Field(min_length=4)
    headers: dict[str, Annotated[SecretStr, Field(max_length=3)]] = {}
    spare: SecretStr | None = None


def test_a_mask_stands_for_a_secret_whatever_rules_that_has(ports: Ports, vault: UsesVault) -> None:
    stored = read_connection(ports, SHOP, "psp-nl")
    places = {"api_key": "x", "pin": "x", "webhook_secret": "hook", "headers/Key": "x"}
    secrets = {at: vault.seal(text, context=f"{SHOP}/psp-nl/{at}") for at, text in places.items()}
    stored = replace(stored, settings={"account": 1}, secrets=secrets)
    opened: Any = opened_settings(vault, stored, Exacting, only=webhook_fields(Exacting))
    assert isinstance(opened, Exacting)
    assert opened.webhook_secret.get_secret_value() == "hook"
    hidden = [opened.api_key, opened.pin, opened.headers["Key"]]
    assert [one.get_secret_value() for one in hidden] == [MASK] * 3
    assert (opened.account, opened.spare) == (1, None)


def test_what_is_not_hidden_still_keeps_its_rules(ports: Ports, vault: UsesVault) -> None:
    stored = read_connection(ports, SHOP, "psp-nl")
    sealed = vault.seal("abc", context=f"{SHOP}/psp-nl/webhook_secret")
    stored = replace(stored, settings={"account": 1}, secrets={"webhook_secret": sealed, "api_key": "", "pin": ""})
    with pytest.raises(StorageFault, match="webhook_secret"):
        opened_settings(vault, stored, Exacting, only=webhook_fields(Exacting))


def test_settings_that_do_not_say_are_opened_whole(ports: Ports, vault: UsesVault) -> None:
    class Silent(BaseModel):
        api_key: SecretStr

        @field_validator("api_key")
        @classmethod
        def _ours(cls, value: SecretStr) -> SecretStr:
            assert value.get_secret_value() == "key-of-nl"
            return value

    stored = replace(read_connection(ports, SHOP, "psp-nl"), settings={})
    sealed = {"api_key": stored.secrets["api_key"]}
    opened_settings(vault, replace(stored, secrets=sealed), Silent, only=webhook_fields(Silent))
    assert vault.opened == ["api_key"]


@pytest.mark.parametrize("connector", connectors(development=True).values(), ids=lambda one: one.name)
def test_every_connector_says_which_of_its_secrets_verify_webhooks(connector: Any) -> None:
    fields = webhook_fields(connector.settings)
    assert fields is not None
    assert fields <= secret_fields(connector.settings)
    assert all(use_of(connector.settings, name) is Use.WEBHOOKS for name in fields)
