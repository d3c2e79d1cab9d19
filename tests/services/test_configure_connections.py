"""Connections: named once, changed on condition, kept after they are deleted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.connectors.mollie import MollieConnector
from chalicelib.connectors.stripe import StripeConnector
from chalicelib.domain.errors import Conflict, Invalid, NotFound, PreconditionFailed
from chalicelib.services.change import CONNECTIONS, update
from chalicelib.services.configuration import Configuration
from chalicelib.services.configure_connections import (
    ConnectionBody,
    ConnectionChange,
    ConnectionTest,
    check_connection,
    create_connection,
    delete_connection,
    list_connections,
    read_connection,
    update_connection,
)
from chalicelib.services.configured_view import connection_view
from chalicelib.services.kinds import connection_key
from chalicelib.services.ports import Ports
from chalicelib.vault.keyring import KeyRing
from tests.services.configured import ACTOR, SHOP, MovingClock, answering, connection_body, ports_at


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    return ports_at(tmp_path)


def change(**fields: object) -> ConnectionChange:
    return ConnectionChange.model_validate(fields)


def test_a_created_connection_is_shown_with_its_secrets_masked(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    assert connection_view(read_connection(ports, SHOP, "toy-nl")) == {
        "id": "toy-nl",
        "connector": "toy",
        "enabled": True,
        "settings": {"base_url": "http://127.0.0.1:9/", "account": "nl", "api_key": "********"},
        "override": None,
        "version": 1,
        "created_at": "2026-03-01T12:00:00.000000Z",
        "updated_at": "2026-03-01T12:00:00.000000Z",
    }


def test_a_connector_is_made_of_the_opened_secrets(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    connector = Configuration(ports).connection(SHOP, "toy-nl").connector
    assert connector._settings.api_key.get_secret_value() == "key-of-nl"  # type: ignore[attr-defined]


def test_an_id_is_taken_once(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    with pytest.raises(Conflict):
        create_connection(ports, ACTOR, SHOP, connection_body())


def test_a_deleted_connections_id_is_never_used_again(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    delete_connection(ports, ACTOR, SHOP, "toy-nl", 1)
    with pytest.raises(Conflict):
        create_connection(ports, ACTOR, SHOP, connection_body())


def test_another_merchant_account_may_use_the_same_id(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    assert create_connection(ports, ACTOR, "other", connection_body()).merchant_id == "other"


def test_another_merchant_accounts_connection_is_not_found(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    with pytest.raises(NotFound):
        read_connection(ports, "other", "toy-nl")


def test_an_unknown_connector_is_refused(ports: Ports) -> None:
    body = ConnectionBody(id="x", connector="nobody", settings={})
    with pytest.raises(Invalid) as refused:
        create_connection(ports, ACTOR, SHOP, body)
    assert refused.value.errors[0].pointer == "/connector"


@pytest.mark.parametrize("slug", ["", "-a", "A", "a_b", "é", "a" * 41, "a/b", "a\n"])
def test_an_id_is_a_slug(slug: str) -> None:
    with pytest.raises(ValueError):
        ConnectionBody(id=slug, connector="toy", settings={})


def test_connections_are_listed_newest_first_and_page_by_page(ports: Ports) -> None:
    clock = ports.clock
    assert isinstance(clock, MovingClock)
    for number in range(3):
        create_connection(ports, ACTOR, SHOP, connection_body(f"toy-{number}"))
        clock.pass_s(1)
    first = list_connections(ports, SHOP, after=None, limit=2)
    rest = list_connections(ports, SHOP, after=first.after, limit=2)
    assert [[one.value.id for one in page.items] for page in (first, rest)] == [["toy-2", "toy-1"], ["toy-0"]]


def test_what_was_read_can_be_sent_back_whole(ports: Ports) -> None:
    made = create_connection(ports, ACTOR, SHOP, connection_body())
    again = update_connection(ports, ACTOR, SHOP, "toy-nl", change(**connection_view(made)), 1)
    assert (again.version, again.settings, again.secrets) == (2, made.settings, made.secrets)


def test_disabling_leaves_the_settings_alone(ports: Ports) -> None:
    made = create_connection(ports, ACTOR, SHOP, connection_body())
    again = update_connection(ports, ACTOR, SHOP, "toy-nl", change(enabled=False), 1)
    assert (again.enabled, again.secrets) == (False, made.secrets)


def test_changing_the_settings_does_not_enable_again(ports: Ports) -> None:
    made = create_connection(ports, ACTOR, SHOP, connection_body())
    update_connection(ports, ACTOR, SHOP, "toy-nl", change(enabled=False), 1)
    settings = {**connection_view(made)["settings"], "base_url": "http://127.0.0.1:10/"}
    assert update_connection(ports, ACTOR, SHOP, "toy-nl", change(settings=settings), 2).enabled is False


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"id": "toy-be"}, "/id"),
        ({"connector": "other"}, "/connector"),
        (
            {"settings": {"base_url": "http://127.0.0.1:9/", "account": "be", "api_key": "********"}},
            "/settings/account",
        ),
    ],
)
def test_what_names_the_account_never_changes(ports: Ports, fields: dict[str, object], pointer: str) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    with pytest.raises(Invalid) as refused:
        update_connection(ports, ACTOR, SHOP, "toy-nl", change(**fields), 1)
    assert [one.pointer for one in refused.value.errors] == [pointer]


TEST, LIVE = "test_0123456789", "live_0123456789"


@pytest.mark.parametrize(("name", "kind"), [("stripe", "sk_"), ("stripe", "rk_"), ("mollie", "")])
def test_a_key_of_the_other_mode_is_another_account(ports: Ports, name: str, kind: str) -> None:
    """With a test key in a live connection, orders would be paid with test cards."""
    ports = replace(ports, connectors={"stripe": StripeConnector, "mollie": MollieConnector})

    def key(text: str) -> dict[str, object]:
        return {"settings": {"api_key": kind + text}}

    for present, other in ((TEST, LIVE), (LIVE, TEST)):
        id = f"{name}-{present[:4]}"
        create_connection(
            ports, ACTOR, SHOP, ConnectionBody(id=id, connector=name, settings={"api_key": kind + present})
        )
        with pytest.raises(Invalid, match="test and live"):
            update_connection(ports, ACTOR, SHOP, id, change(**key(other)), 1)
        assert update_connection(ports, ACTOR, SHOP, id, change(**key(f"{present}_new")), 1).version == 2


def test_where_the_old_key_is_lost_with_its_key_ring_the_new_one_is_taken(ports: Ports, tmp_path: Path) -> None:
    ports = replace(ports, connectors={"stripe": StripeConnector})
    body = ConnectionBody(id="stripe-nl", connector="stripe", settings={"api_key": f"sk_{LIVE}"})
    create_connection(ports, ACTOR, SHOP, body)
    ports = replace(ports, vault=KeyRing(tmp_path / "another-keyring.json"))
    settings = {"api_key": f"sk_{LIVE}_new"}
    assert update_connection(ports, ACTOR, SHOP, "stripe-nl", change(settings=settings), 1).version == 2


def test_a_stale_version_changes_nothing(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    update_connection(ports, ACTOR, SHOP, "toy-nl", change(enabled=False), 1)
    with pytest.raises(PreconditionFailed):
        update_connection(ports, ACTOR, SHOP, "toy-nl", change(enabled=True), 1)


def test_a_writer_who_comes_second_is_told(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    key = connection_key(SHOP, "toy-nl")
    calls: list[int] = []

    def slow(present):  # type: ignore[no-untyped-def]
        calls.append(present.version)
        update(ports, CONNECTIONS, key, None, lambda one: one, ACTOR)
        return present

    with pytest.raises(PreconditionFailed):
        update(ports, CONNECTIONS, key, 1, slow, ACTOR)
    assert calls == [1]


def test_a_deleted_connection_keeps_its_credentials_but_takes_no_payments(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    delete_connection(ports, ACTOR, SHOP, "toy-nl", 1)
    live = Configuration(ports).connection(SHOP, "toy-nl")
    assert not live.usable
    assert live.connector._settings.api_key.get_secret_value() == "key-of-nl"


def test_a_deleted_connection_is_not_found_and_not_listed(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())
    delete_connection(ports, ACTOR, SHOP, "toy-nl", 1)
    assert not list_connections(ports, SHOP, after=None, limit=50).items
    with pytest.raises(NotFound):
        read_connection(ports, SHOP, "toy-nl")


@pytest.mark.parametrize(
    ("status", "ok", "problem"),
    [(200, True, None), (401, False, "credentials"), (429, False, "outage"), (503, False, "outage")],
)
def test_a_test_tells_bad_credentials_from_an_outage(ports: Ports, status: int, ok: bool, problem: str | None) -> None:
    with answering(status) as (url, taken):
        create_connection(ports, ACTOR, SHOP, connection_body(base_url=url))
        found = check_connection(ports, SHOP, "toy-nl")
    assert (found.ok, found.problem, taken[0][0]["authorization"]) == (ok, problem, "key-of-nl")
    assert (found.detail == f"127.0.0.1: answered {status}") is (status == 503), found.detail


def test_a_psp_that_can_not_be_reached_is_an_outage(ports: Ports) -> None:
    with answering(200) as (url, _):
        create_connection(ports, ACTOR, SHOP, connection_body(base_url=url))
    found = check_connection(ports, SHOP, "toy-nl")
    assert found == ConnectionTest(False, "outage", "127.0.0.1: the connection was refused")


def test_of_writers_who_read_the_same_version_one_wins(ports: Ports) -> None:
    create_connection(ports, ACTOR, SHOP, connection_body())

    def won(_: int) -> bool:
        try:
            update_connection(ports, ACTOR, SHOP, "toy-nl", change(enabled=False), 1)
        except PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(won, range(8))) == 1
