"""The results of A/B tests over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from chalice.test import Client

from chalicelib.api.application import create_app
from chalicelib.api.models_experiments import ExperimentsModel
from chalicelib.wiring import Wiring
from tests.api.configuring import PlainTokens
from tests.services.splitting import GUARDRAIL, Shoppers, change_route, split
from tests.world import World

Get = Callable[..., Any]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def get(world: World) -> Iterator[Get]:
    wired = SimpleNamespace(ports=world.ports, store=world.store, verifier=PlainTokens())
    with Client(create_app(lambda: cast(Wiring, wired))) as client:

        def call(query: str = "", name: str = "default", token: str = "default config:read") -> Any:
            path = f"/v1/routes/{name}/experiments{query}"
            return client.http.request("GET", path, {"Authorization": token}, b"")

        yield call


def test_it_answers_as_its_schema_says(world: World, get: Get) -> None:
    change_route(world, {"split": split(guardrail=GUARDRAIL)})
    shoppers = Shoppers(world)
    shoppers.come("a", paid=2)
    shoppers.come("b", paid=1, declined=1)
    answer = get()
    shown = ExperimentsModel.model_validate(answer.json_body)
    assert answer.status_code == 200
    assert [(one.arm, one.authorized, one.unpaid) for one in shown.experiments[0].arms] == [("a", 2, 0), ("b", 1, 1)]


def test_a_route_without_a_split_has_none(get: Get, world: World) -> None:
    change_route(world, {"use": ["psp-1"]})
    assert get().json_body == {"route": "default", "version": 2, "experiments": []}


def test_an_earlier_version_and_a_later_hour_can_be_asked_for(get: Get, world: World) -> None:
    change_route(world, {"split": split()})
    Shoppers(world).come("a", paid=2)
    change_route(world, {"use": ["psp-1"]})
    world.clock.forward(2 * 3600)
    counted = [
        get(f"?version=2{more}").json_body["experiments"][0]["arms"][0]["authorized"]
        for more in ("", "&from=2026-03-01T13:30:00Z")
    ]
    assert counted == [2, 0]


@pytest.mark.parametrize(
    "query", ["?version=0", "?version=x", "?from=yesterday", "?from=5", "?to=2026-03-01T13:30:00Z"]
)
def test_what_can_not_be_asked_is_refused(get: Get, query: str) -> None:
    assert get(query).status_code == 422


def test_who_may_not_read_the_configuration_and_who_asks_for_nothing_that_is_there(get: Get, world: World) -> None:
    change_route(world, {"split": split()})
    assert get(token="default statistics:read").status_code == 403
    assert get(token="other config:read").status_code == 404
    assert get(name="nowhere").status_code == 404
    assert get("?version=9").status_code == 404
