"""The configuration over HTTP: scopes, ETags, pages, and the answers that clients are promised."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import chalicelib.api.audit
import chalicelib.api.catalogue
import chalicelib.api.connections
import chalicelib.api.routes
import chalicelib.api.simulations
import chalicelib.api.subscriptions  # noqa: F401  # importing them fills the table of operations
from chalicelib.api.operation import OPERATIONS
from chalicelib.domain.errors import StorageFault
from chalicelib.storage.memory import MemoryStore
from tests.api.configuring import CONNECTION, EVERYTHING, Api, serving_configuration

ROUTE = {"name": "default", "otherwise": {"use": ["toy-nl"]}}
SUBSCRIPTION = {"name": "Orders", "channel": "webhook", "target": {"url": "http://127.0.0.1:9/"}, "events": ["*"]}
WRITES = [
    ("PUT", "/v1/connections/toy-nl", {"enabled": False}),
    ("DELETE", "/v1/connections/toy-nl", None),
    ("PUT", "/v1/routes/default", {"otherwise": {"use": ["toy-nl"]}}),
    ("DELETE", "/v1/routes/default", None),
]
OURS = [one for one in OPERATIONS if (one.scope or "").startswith(("config:", "audit:")) and "deliver" not in one.path]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with serving_configuration(tmp_path) as made:
        assert made.call("POST", "/v1/connections", CONNECTION).status_code == 201
        assert made.call("POST", "/v1/routes", ROUTE).status_code == 201
        yield made


@pytest.mark.parametrize("operation", OURS, ids=lambda one: one.name)
def test_no_operation_answers_without_its_scope(api: Api, operation: Any) -> None:
    others = " ".join(scope for scope in EVERYTHING.split() if scope != operation.scope)
    path = operation.path.replace("{", "").replace("}", "")
    assert api.call(operation.method, path, {}, token=f"default {others}").status_code == 403


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_a_change_asks_for_if_match(api: Api, method: str, path: str, body: Any) -> None:
    assert api.call(method, path, body).status_code == 428


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_a_stale_change_is_refused(api: Api, method: str, path: str, body: Any) -> None:
    assert api.call(method, path, body, match=7).status_code == 412


@pytest.mark.parametrize(("path", "told"), [("/v1/connections/toy-nl", True), ("/v1/audit", False)])
def test_only_an_operator_is_told_of_this_machines_files(
    api: Api, monkeypatch: pytest.MonkeyPatch, path: str, told: bool
) -> None:
    def refuse(*given: object, **named: object) -> None:
        raise StorageFault("The database /var/lib/payments.db answered SQLITE_IOERR.")

    monkeypatch.setattr(MemoryStore, "get", refuse)
    monkeypatch.setattr(MemoryStore, "find", refuse)
    answer = api.call("GET", path)
    assert (answer.status_code, "/var/lib/payments.db" in answer.body.decode()) == (503, told)


@pytest.mark.parametrize("path", ["/v1/connections/toy-nl", "/v1/routes/default"])
def test_a_read_gives_the_version_as_etag(api: Api, path: str) -> None:
    answer = api.call("GET", path)
    assert (answer.status_code, answer.headers["ETag"], answer.json_body["version"]) == (200, '"1"', 1)


def test_an_update_answers_with_the_next_etag(api: Api) -> None:
    answer = api.call("PUT", "/v1/connections/toy-nl", {"enabled": False}, match=1)
    assert (answer.status_code, answer.headers["ETag"], answer.json_body["enabled"]) == (200, '"2"', False)


def test_what_was_deleted_is_not_found(api: Api) -> None:
    assert api.call("DELETE", "/v1/routes/default", match=1).status_code == 204
    assert api.call("GET", "/v1/routes/default").status_code == 404


@pytest.mark.parametrize(("path", "body"), [("/v1/connections", CONNECTION), ("/v1/routes", ROUTE)])
def test_a_name_that_is_taken_is_a_conflict(api: Api, path: str, body: Any) -> None:
    assert api.call("POST", path, body).status_code == 409


def test_a_mask_in_a_new_connection_is_pointed_at(api: Api) -> None:
    body = {**CONNECTION, "id": "toy-be", "settings": {**CONNECTION["settings"], "api_key": "********"}}
    answer = api.call("POST", "/v1/connections", body)
    assert (answer.status_code, answer.json_body["errors"][0]["pointer"]) == (422, "/settings/api_key")


RULE = {"name": "r", "when": {"field": "country", "op": "eq", "value": "NL"}, "then": {"use": ["toy-nl"]}}


def test_a_saved_route_comes_with_what_the_linter_warns_of(api: Api) -> None:
    answer = api.call("PUT", "/v1/routes/default", {**ROUTE, "rules": [RULE]}, match=1)
    assert answer.status_code == 200
    assert [one["code"] for one in answer.json_body["warnings"]] == ["no-fallback", "no-fallback"]
    assert "warnings" not in api.call("GET", "/v1/routes/default").json_body


def test_what_a_save_answers_can_be_sent_back(api: Api) -> None:
    saved = api.call("PUT", "/v1/routes/default", {**ROUTE, "rules": [RULE]}, match=1).json_body
    assert api.call("PUT", "/v1/routes/default", saved, match=2).status_code == 200


def test_a_draft_is_checked_without_being_saved(api: Api) -> None:
    draft = {**ROUTE, "otherwise": {"use": ["nobody"]}}
    answer = api.call("POST", "/v1/routes/default/lints", draft)
    assert [(one["code"], one["pointer"]) for one in answer.json_body["errors"]] == [
        ("unknown-connection", "/otherwise/use/0")
    ]
    assert api.call("GET", "/v1/routes/default").json_body["version"] == 1


def test_an_earlier_version_is_made_the_newest_again(api: Api) -> None:
    api.call("PUT", "/v1/routes/default", {**ROUTE, "rules": [RULE]}, match=1)
    answer = api.call("POST", "/v1/routes/default/activations", {"version": 1})
    assert (answer.status_code, answer.json_body["version"], answer.json_body["rules"]) == (201, 3, [])
    assert answer.headers["ETag"] == '"3"'


def test_two_versions_are_compared(api: Api) -> None:
    api.call("PUT", "/v1/routes/default", {**ROUTE, "rules": [RULE]}, match=1)
    answer = api.call("GET", "/v1/routes/default/comparisons?from=1&to=2")
    added = {"rule": "r", "pointer": "", "before": None, "after": RULE}
    assert answer.json_body == {"from": 1, "to": 2, "differences": [added]}


def test_a_comparison_names_two_versions(api: Api) -> None:
    answer = api.call("GET", "/v1/routes/default/comparisons?from=1")
    assert (answer.status_code, answer.json_body["errors"][0]["pointer"]) == (422, "/query/to")


@pytest.mark.parametrize("path", ["/v1/connections/toy-nl", "/v1/routes/default", "/v1/routes/default/versions"])
def test_another_merchant_accounts_objects_are_not_found(api: Api, path: str) -> None:
    assert api.call("GET", path, token=f"other {EVERYTHING}").status_code == 404


@pytest.mark.parametrize("path", ["/v1/connections", "/v1/routes", "/v1/subscriptions", "/v1/audit"])
def test_another_merchant_accounts_objects_are_absent_from_lists(api: Api, path: str) -> None:
    answer = api.call("GET", path, token=f"other {EVERYTHING}")
    assert answer.json_body == {"items": [], "next_cursor": None}


def test_a_list_goes_on_where_its_cursor_says(api: Api) -> None:
    api.call("POST", "/v1/connections", {**CONNECTION, "id": "toy-be"})
    first = api.call("GET", "/v1/connections?limit=1").json_body
    rest = api.call("GET", f"/v1/connections?limit=1&cursor={first['next_cursor']}").json_body
    assert {page["items"][0]["id"] for page in (first, rest)} == {"toy-nl", "toy-be"}
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "page=2", "limit=2&limit=2"])
def test_a_bad_query_is_refused(api: Api, query: str) -> None:
    assert api.call("GET", f"/v1/connections?{query}").status_code == 422


def test_the_catalogue_tells_what_a_connector_takes(api: Api) -> None:
    item = api.call("GET", "/v1/connectors").json_body["items"][0]
    assert (item["name"], item["payment_methods"], "api_key" in item["settings"]["properties"]) == (
        "toy",
        ["card"],
        True,
    )


def test_a_signing_secret_is_answered_once(api: Api) -> None:
    made = api.call("POST", "/v1/subscriptions", SUBSCRIPTION).json_body
    assert made["signing_secret"].startswith("whsec_")
    assert "whsec_" not in api.call("GET", f"/v1/subscriptions/{made['id']}").body.decode()


def test_with_ed25519_there_is_a_public_key_and_nothing_to_keep(api: Api) -> None:
    wanted = {**SUBSCRIPTION, "target": {"url": "http://127.0.0.1:9/", "signature": "ed25519"}}
    made = api.call("POST", "/v1/subscriptions", wanted).json_body
    second = api.call("POST", f"/v1/subscriptions/{made['id']}/secrets").json_body
    shown = api.call("GET", f"/v1/subscriptions/{made['id']}").json_body["secrets"]
    assert "signing_secret" not in {**made, **second}
    assert [one["public_key"][:5] for one in shown] == ["whpk_", "whpk_"]
    assert shown == [*made["secrets"], second]


def test_signing_secrets_rotate(api: Api) -> None:
    made = api.call("POST", "/v1/subscriptions", SUBSCRIPTION).json_body
    path = f"/v1/subscriptions/{made['id']}/secrets"
    second = api.call("POST", path).json_body
    former = f"{path}/{made['secrets'][0]['id']}"
    answers = [api.call("DELETE", former), api.call("DELETE", former), api.call("DELETE", f"{path}/{second['id']}")]
    assert [answer.status_code for answer in answers] == [204, 404, 409]


def test_the_audit_log_tells_who_did_what_newest_first(api: Api) -> None:
    api.call("PUT", "/v1/connections/toy-nl", {"enabled": False}, match=1)
    told = api.call("GET", "/v1/audit").json_body["items"]
    assert [(one["actor"], one["action"], one["object_id"]) for one in told] == [
        ("operator", "update", "toy-nl"),
        ("operator", "create", "default"),
        ("operator", "create", "toy-nl"),
    ]
