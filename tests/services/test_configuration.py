"""Configuration as services read it: a change shows within 5 s, an unknown object is looked up, the rest is cached."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from pydantic import ValidationError

from chalicelib.contracts.store import Kind, Stored
from chalicelib.domain.errors import NotFound, StorageFault
from chalicelib.routing.rules import RouteChange
from chalicelib.services.configuration import Configuration
from chalicelib.services.configure_connections import ConnectionChange, create_connection, update_connection
from chalicelib.services.configure_routes import create_route, delete_route, update_route
from chalicelib.services.configure_subscriptions import create_subscription
from chalicelib.services.kinds import KINDS
from chalicelib.services.ports import Ports
from chalicelib.settings import Settings
from chalicelib.storage.memory import MemoryStore
from chalicelib.storage.sql import SqlStore
from tests.services.configured import (
    ACTOR,
    SHOP,
    connection_body,
    ports_at,
    route_body,
    subscription_body,
    with_store,
)
from tests.storage.children import exit_code, fork

T = TypeVar("T")
SEEN_WITHIN_S = 5.0


class CountingStore(MemoryStore):
    """Counts its reads; `down` refuses them."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.down = False

    def get(self, kind: Kind[T], id: str) -> Stored[T]:
        self.reads += 1
        if self.down:
            raise StorageFault("The database did not answer.")
        return super().get(kind, id)


class Elsewhere:
    """A process' configuration with a clock of its own; changes through `ports` are another process'."""

    def __init__(self, ports: Ports) -> None:
        self.now = 1000.0
        self.configuration = Configuration(ports, monotonic=lambda: self.now)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def ports(tmp_path: Path, store: CountingStore) -> Ports:
    ports = ports_at(tmp_path, store)
    create_connection(ports, ACTOR, SHOP, connection_body())
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    return ports


@pytest.fixture
def elsewhere(ports: Ports) -> Elsewhere:
    return Elsewhere(ports)


def key_of(configuration: Configuration) -> str:
    settings = configuration.connection(SHOP, "toy-nl").connector._settings  # type: ignore[attr-defined]
    return str(settings.api_key.get_secret_value())


def test_a_change_made_elsewhere_is_seen_within_five_seconds(ports: Ports, elsewhere: Elsewhere) -> None:
    configuration = elsewhere.configuration
    assert (configuration.connection(SHOP, "toy-nl").usable, configuration.route(SHOP, "default").version) == (True, 1)
    update_connection(ports, ACTOR, SHOP, "toy-nl", ConnectionChange(enabled=False), 1)
    update_route(ports, ACTOR, SHOP, "default", RouteChange.model_validate({"otherwise": {"use": ["toy-nl"]}}), 1)
    elsewhere.now += SEEN_WITHIN_S
    assert (configuration.connection(SHOP, "toy-nl").usable, configuration.route(SHOP, "default").version) == (False, 2)


def test_a_new_secret_is_used_within_five_seconds(ports: Ports, elsewhere: Elsewhere) -> None:
    assert key_of(elsewhere.configuration) == "key-of-nl"
    settings = {**connection_body().settings, "api_key": "newer"}
    update_connection(ports, ACTOR, SHOP, "toy-nl", ConnectionChange(settings=settings), 1)
    elsewhere.now += SEEN_WITHIN_S
    assert key_of(elsewhere.configuration) == "newer"


def test_no_setting_makes_a_change_wait_longer(ports: Ports) -> None:
    assert ports.configuration_ttl_s < SEEN_WITHIN_S
    with pytest.raises(ValidationError):
        Settings(configuration_ttl_s=SEEN_WITHIN_S)


def test_what_was_read_a_moment_ago_is_not_read_again(elsewhere: Elsewhere, store: CountingStore) -> None:
    elsewhere.configuration.connection(SHOP, "toy-nl")
    reads = store.reads
    for _ in range(10):
        elsewhere.configuration.connection(SHOP, "toy-nl")
    assert store.reads == reads


def test_a_connection_keeps_its_connector_while_its_version_stays(elsewhere: Elsewhere) -> None:
    first = elsewhere.configuration.connection(SHOP, "toy-nl").connector
    elsewhere.now += SEEN_WITHIN_S
    assert elsewhere.configuration.connection(SHOP, "toy-nl").connector is first


def test_an_unknown_object_is_looked_up_afresh_each_time(ports: Ports, elsewhere: Elsewhere) -> None:
    for lookup in (elsewhere.configuration.connection, elsewhere.configuration.route):
        with pytest.raises(NotFound):
            lookup(SHOP, "new")
    create_connection(ports, ACTOR, SHOP, connection_body("new"))
    create_route(ports, ACTOR, SHOP, route_body("new", name="new"))
    assert elsewhere.configuration.connection(SHOP, "new").usable
    assert elsewhere.configuration.route(SHOP, "new").version == 1


def test_a_deleted_route_that_comes_back_is_found_at_once(ports: Ports, elsewhere: Elsewhere) -> None:
    delete_route(ports, ACTOR, SHOP, "default", 1)
    with pytest.raises(NotFound):
        elsewhere.configuration.route(SHOP, "default")
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    assert elsewhere.configuration.route(SHOP, "default").version == 3


def test_notification_reads_subscriptions_afresh(ports: Ports, elsewhere: Elsewhere) -> None:
    assert elsewhere.configuration.subscriptions(SHOP) == []
    made, _ = create_subscription(ports, ACTOR, SHOP, subscription_body())
    assert [one.id for one in elsewhere.configuration.subscriptions(SHOP)] == [made.id]


def test_a_process_sees_its_own_change_at_once(ports: Ports, elsewhere: Elsewhere) -> None:
    elsewhere.configuration.connection(SHOP, "toy-nl")
    update_connection(ports, ACTOR, SHOP, "toy-nl", ConnectionChange(enabled=False), 1)
    elsewhere.configuration.forget()
    assert not elsewhere.configuration.connection(SHOP, "toy-nl").usable


def test_merchant_accounts_share_nothing_in_the_cache(ports: Ports, elsewhere: Elsewhere) -> None:
    create_connection(ports, ACTOR, "other", connection_body(api_key="key-of-other"))
    assert key_of(elsewhere.configuration) == "key-of-nl"
    settings = elsewhere.configuration.connection("other", "toy-nl").connector._settings  # type: ignore[attr-defined]
    assert settings.api_key.get_secret_value() == "key-of-other"


def test_a_cached_connection_serves_while_the_database_is_down(elsewhere: Elsewhere, store: CountingStore) -> None:
    elsewhere.configuration.connection(SHOP, "toy-nl")
    store.down = True
    assert elsewhere.configuration.connection(SHOP, "toy-nl").usable


def test_another_process_sees_a_change_of_this_one(tmp_path: Path) -> None:
    """Without its cache, which has had its time: what is left are the database file and the key ring."""
    store = SqlStore(f"sqlite:///{tmp_path / 'payments.db'}", KINDS)
    store.migrate()
    ports = replace(with_store(ports_at(tmp_path), store), configuration_ttl_s=0.0)
    create_connection(ports, ACTOR, SHOP, connection_body())
    changed, change = os.pipe()
    ready, said_ready = os.pipe()

    def watch() -> int:
        configuration = Configuration(ports)
        before = key_of(configuration)
        os.write(said_ready, b"!")
        os.read(changed, 1)
        return (before, key_of(configuration)) == ("key-of-nl", "newer")

    pid = fork(watch)
    os.read(ready, 1)
    ports.vault.rotate()  # type: ignore[attr-defined]
    settings = {**connection_body().settings, "api_key": "newer"}
    update_connection(ports, ACTOR, SHOP, "toy-nl", ConnectionChange(settings=settings), 1)
    os.write(change, b"!")
    assert exit_code(pid) == 1
    for each in (changed, change, ready, said_ready):
        os.close(each)
    store.close()
