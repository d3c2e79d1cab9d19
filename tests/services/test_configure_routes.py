"""Routes: a chain of connections that exist, and every version kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.errors import Conflict, Invalid, NotFound, PreconditionFailed
from chalicelib.routing.rules import RouteBody, RouteChange
from chalicelib.services.configuration import Configuration
from chalicelib.services.configure_connections import (
    ConnectionChange,
    create_connection,
    delete_connection,
    update_connection,
)
from chalicelib.services.configure_routes import (
    activate_version,
    create_route,
    delete_route,
    list_routes,
    list_versions,
    read_route,
    read_version,
    update_route,
)
from chalicelib.services.configured_view import route_view
from chalicelib.services.ports import Ports
from tests.services.configured import ACTOR, SHOP, connection_body, ports_at, route_body

RULE: dict[str, Any] = {
    "name": "Dutch",
    "when": {"field": "country", "op": "eq", "value": "NL"},
    "then": {"use": ["toy-nl"]},
}


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    made = ports_at(tmp_path)
    for id in ("toy-nl", "toy-be"):
        create_connection(made, ACTOR, SHOP, connection_body(id))
    return made


def change(*use: str, **more: Any) -> RouteChange:
    return RouteChange.model_validate({"otherwise": {"use": list(use)}, **more})


def versions(ports: Ports) -> list[tuple[int, list[str]]]:
    page = list_versions(ports, SHOP, "default", after=None, limit=50)
    return [(one.value.version, one.value.document["otherwise"]["use"]) for one in page.items]


def test_a_route_is_shown_with_its_defaults(ports: Ports) -> None:
    create_route(ports, ACTOR, SHOP, route_body("toy-nl", "toy-be"))
    shown = route_view(read_route(ports, SHOP, "default"))
    assert {name: shown[name] for name in ("name", "rules", "otherwise", "unanswered", "late", "version")} == {
        "name": "default",
        "rules": [],
        "otherwise": {"use": ["toy-nl", "toy-be"]},
        "unanswered": "next",
        "late": "accept",
        "version": 1,
    }


def test_checkouts_see_the_route(ports: Ports) -> None:
    create_route(ports, ACTOR, SHOP, route_body("toy-nl", unanswered="hold"))
    assert Configuration(ports).route(SHOP, "default").document["unanswered"] == "hold"


def test_a_rule_that_can_never_match_is_refused_where_it_stands(ports: Ports) -> None:
    never = {**RULE, "when": {"all": [RULE["when"], {"field": "country", "op": "eq", "value": "BE"}]}}
    with pytest.raises(Invalid, match="contradict") as refused:
        create_route(ports, ACTOR, SHOP, route_body("toy-nl", rules=[never]))
    assert [one.pointer for one in refused.value.errors] == ["/rules/0/when"]


def test_what_the_linter_only_warns_of_is_saved(ports: Ports) -> None:
    saved = create_route(ports, ACTOR, SHOP, route_body("toy-nl", "toy-be", rules=[RULE]))
    assert [(one.code, one.pointer) for one in saved.warnings] == [("no-fallback", "/rules/0/then/use")]
    assert read_route(ports, SHOP, "default").document["rules"] == [RULE]


def test_an_earlier_version_is_activated_as_a_new_one(ports: Ports) -> None:
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    update_route(ports, ACTOR, SHOP, "default", change("toy-be"), 1)
    activate_version(ports, ACTOR, SHOP, "default", 1)
    assert versions(ports) == [(3, ["toy-nl"]), (2, ["toy-be"]), (1, ["toy-nl"])]


def test_a_version_whose_connection_is_gone_is_not_activated(ports: Ports) -> None:
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    update_route(ports, ACTOR, SHOP, "default", change("toy-be"), 1)
    delete_connection(ports, ACTOR, SHOP, "toy-nl", 1)
    with pytest.raises(Invalid, match="there is no connection 'toy-nl'"):
        activate_version(ports, ACTOR, SHOP, "default", 1)


def test_a_version_that_never_was_is_not_activated(ports: Ports) -> None:
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    with pytest.raises(NotFound, match="no version 2"):
        activate_version(ports, ACTOR, SHOP, "default", 2)


def test_a_chain_names_connections_that_exist(ports: Ports) -> None:
    with pytest.raises(Invalid) as refused:
        create_route(ports, ACTOR, SHOP, route_body("toy-nl", "nobody"))
    assert [one.pointer for one in refused.value.errors] == ["/otherwise/use/1"]


def test_a_chain_names_no_deleted_connection(ports: Ports) -> None:
    delete_connection(ports, ACTOR, SHOP, "toy-be", 1)
    with pytest.raises(Invalid):
        create_route(ports, ACTOR, SHOP, route_body("toy-be"))


def test_a_chain_may_name_a_disabled_connection(ports: Ports) -> None:
    update_connection(ports, ACTOR, SHOP, "toy-be", ConnectionChange(enabled=False), 1)
    assert create_route(ports, ACTOR, SHOP, route_body("toy-be")).route.version == 1


def test_a_chain_names_no_other_merchant_accounts_connection(ports: Ports) -> None:
    with pytest.raises(Invalid):
        create_route(ports, ACTOR, "other", route_body("toy-nl"))


@pytest.mark.parametrize(
    "document",
    [
        {"otherwise": {"use": []}},
        {"otherwise": {"use": ["a", "a"]}},
        {"otherwise": {"use": [f"c{number}" for number in range(11)]}},
        {"otherwise": {"use": ["a"]}, "unanswered": "maybe"},
        {"otherwise": {"use": ["a"]}, "late": "maybe"},
        {"otherwise": {"use": ["a"]}, "surprise": 1},
        {"otherwise": {"use": ["a"]}, "rules": [{**RULE, "when": {"all": [], "any": []}}]},
        {"otherwise": {"use": ["a"]}, "rules": [{**RULE, "when": {"field": "amount", "op": "lt", "value": "1"}}]},
        {"otherwise": {"use": ["a"]}, "rules": [{**RULE, "then": {}}]},
        {},
    ],
)
def test_a_malformed_route_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        RouteBody.model_validate({"name": "default", **document})


def test_the_whole_shape_of_a_route_is_understood() -> None:
    arms = [{"arm": "a", "weight": 80, "use": ["x"]}, {"arm": "b", "weight": 20, "use": ["y"]}]
    either = {"any": [RULE["when"], {"not": {"field": "metadata.vip", "op": "exists", "value": True}}]}
    document = {
        "name": "default",
        "rules": [RULE, {"name": "A/B", "when": either, "then": {"split": {"by": "customer", "arms": arms}}}],
        "otherwise": {"use": ["x"]},
        "unanswered": "next",
        "late": "review",
    }
    body = RouteBody.model_validate(document)
    assert body.model_dump(mode="json", by_alias=True, exclude_none=True) == document


def test_a_name_is_taken_once(ports: Ports) -> None:
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    with pytest.raises(Conflict):
        create_route(ports, ACTOR, SHOP, route_body("toy-nl"))


def test_every_change_is_kept_as_a_version(ports: Ports) -> None:
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    update_route(ports, ACTOR, SHOP, "default", change("toy-be"), 1)
    assert versions(ports) == [(2, ["toy-be"]), (1, ["toy-nl"])]


def test_a_version_says_who_made_it(ports: Ports) -> None:
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    assert read_version(ports, SHOP, "default", 1).created_by == "operator"


def test_what_was_read_can_be_sent_back_whole(ports: Ports) -> None:
    made = create_route(ports, ACTOR, SHOP, route_body("toy-nl", late="review")).route
    again = update_route(ports, ACTOR, SHOP, "default", RouteChange.model_validate(route_view(made)), 1).route
    assert (again.version, again.document) == (2, made.document)


def test_a_routes_name_never_changes(ports: Ports) -> None:
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    with pytest.raises(Invalid):
        update_route(ports, ACTOR, SHOP, "default", change("toy-nl", name="other"), 1)


def test_a_stale_version_changes_nothing(ports: Ports) -> None:
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    update_route(ports, ACTOR, SHOP, "default", change("toy-be"), 1)
    with pytest.raises(PreconditionFailed):
        update_route(ports, ACTOR, SHOP, "default", change("toy-nl"), 1)


def test_a_deleted_route_is_gone(ports: Ports) -> None:
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    delete_route(ports, ACTOR, SHOP, "default", 1)
    assert not list_routes(ports, SHOP, after=None, limit=50).items
    with pytest.raises(NotFound):
        read_route(ports, SHOP, "default")


def test_a_deleted_route_comes_back_at_its_next_version(ports: Ports) -> None:
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    delete_route(ports, ACTOR, SHOP, "default", 1)
    assert create_route(ports, ACTOR, SHOP, route_body("toy-be")).route.version == 3
    assert versions(ports) == [(3, ["toy-be"]), (1, ["toy-nl"])]


@pytest.mark.parametrize("version", [2, 3])
def test_a_version_that_never_held_is_not_found(ports: Ports, version: int) -> None:
    create_route(ports, ACTOR, SHOP, route_body("toy-nl"))
    with pytest.raises(NotFound):
        read_version(ports, SHOP, "default", version)
