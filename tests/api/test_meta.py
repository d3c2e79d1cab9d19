from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from chalicelib.api import health
from chalicelib.api.connections import SETTINGS_EXAMPLE
from chalicelib.api.problem import TITLE_OF
from chalicelib.domain.errors import QueueFault, StorageFault
from chalicelib.services.audit import Actor
from chalicelib.services.configure_connections import ConnectionBody, create_connection
from tests.api.served import ISSUER, Served, header, json_body, serving


@pytest.fixture
def production(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as served:
        yield served


@pytest.fixture
def development(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path, env="development") as served:
        yield served


@pytest.fixture
def dependency() -> Iterator[tuple[str, dict[str, int]]]:
    """A server whose status can be set, and its address."""
    says = {"status": 200}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(says["status"])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", says
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("slug", TITLE_OF)
def test_every_problem_page_is_served(production: Served, slug: str) -> None:
    response = production.call("GET", f"/problems/{slug}")
    assert response.status_code == 200
    assert header(response, "Content-Type") == "text/html; charset=utf-8"
    assert "default-src 'none'" in (header(response, "Content-Security-Policy") or "")
    assert f"<h1>{TITLE_OF[slug]}</h1>".replace("'", "&#x27;") in response.body.decode()


@pytest.mark.parametrize(
    "slug", ["nonsense", "invalid.md", "..%2Fproblem.py", "%2e%2e%2fproblem", "%00", "Invalid", "."]
)
def test_another_page_is_not(production: Served, slug: str) -> None:
    assert production.call("GET", f"/problems/{slug}").status_code == 404


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000"])
def test_the_docs_answer_a_loopback_host_in_development(development: Served, host: str) -> None:
    response = development.call("GET", "/docs", {"Host": host})
    assert response.status_code == 200
    assert header(response, "Content-Type") == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    "host", ["payments.example", "localhost.evil.example", "evil.example:8000", "10.0.0.1", "", "x@localhost"]
)
@pytest.mark.parametrize("path", ["/docs", "/docs/swagger-ui.css"])
def test_the_docs_answer_no_other_host_in_development(development: Served, host: str, path: str) -> None:
    assert development.call("GET", path, {"Host": host}).status_code == 404


def test_the_docs_are_off_in_production(production: Served) -> None:
    assert production.call("GET", "/docs", {"Host": "localhost"}).status_code == 404


def test_the_docs_can_be_switched_on_in_production(tmp_path: Path) -> None:
    with serving(tmp_path, docs=True) as served:
        assert served.call("GET", "/docs", {"Host": "payments.example"}).status_code == 200


@pytest.mark.parametrize(
    ("asset", "begins"),
    [
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("start.js", "text/javascript"),
        ("oauth2-redirect.html", "text/html"),
        ("oauth2-redirect.js", "text/javascript"),
    ],
)
def test_every_file_of_the_docs_is_served_from_here(development: Served, asset: str, begins: str) -> None:
    response = development.call("GET", f"/docs/{asset}", {"Host": "localhost"})
    assert response.status_code == 200
    assert (header(response, "Content-Type") or "").startswith(begins)


@pytest.mark.parametrize("asset", ["LICENSE", "swagger-editor.js", "..%2Fcore.py", "%00", ".", "x.png"])
def test_no_other_file_is(development: Served, asset: str) -> None:
    assert development.call("GET", f"/docs/{asset}", {"Host": "localhost"}).status_code == 404


def test_the_docs_may_run_no_script_but_their_own_files(development: Served) -> None:
    response = development.call("GET", "/docs", {"Host": "localhost"})
    policy = header(response, "Content-Security-Policy") or ""
    assert "script-src 'self';" in policy
    assert "connect-src 'self' https://issuer.example;" in policy
    assert "<script>" not in response.body.decode()


def test_the_openapi_document_is_served_to_anybody(production: Served) -> None:
    shown = json_body(production.call("GET", "/openapi.json"))
    assert shown["openapi"] == "3.1.0"
    assert shown["components"]["securitySchemes"]["oidc"]["openIdConnectUrl"].startswith(ISSUER)


def test_the_process_is_alive(production: Served) -> None:
    assert json_body(production.call("GET", "/health/live")) == {"status": "ok"}


def test_a_server_is_ready_when_its_store_and_its_queue_answer(production: Served) -> None:
    response = production.call("GET", "/health/ready")
    assert response.status_code == 200
    checks = [{"name": name, "ok": True} for name in ("store", "queue", "vault")]
    assert json_body(response) == {"status": "ok", "checks": checks}


@pytest.mark.parametrize(("part", "method", "error"), [("store", "get", StorageFault), ("queue", "depth", QueueFault)])
def test_a_server_is_not_ready_while_a_part_fails(
    production: Served, monkeypatch: pytest.MonkeyPatch, part: str, method: str, error: type[Exception]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error("the password is hunter2")

    monkeypatch.setattr(getattr(production.wiring, part), method, fails)
    response = production.call("GET", "/health/ready")
    assert response.status_code == 503
    assert {"name": part, "ok": False} in json_body(response)["checks"]
    assert "hunter2" not in response.body.decode()


def test_a_server_is_not_ready_where_it_can_open_no_secret(
    development: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "FRESH_S", -1)
    monkeypatch.setattr("chalicelib.vault.keyring.CHECK_EVERY_S", 0.0)
    body = ConnectionBody(id="one", connector="sandbox", settings=SETTINGS_EXAMPLE)
    create_connection(development.wiring.ports, Actor("operator", "studio", "req_1"), "default", body)
    assert development.call("GET", "/health/ready").status_code == 200
    (tmp_path / "keyring.json").write_text("cut off")
    response = development.call("GET", "/health/ready")
    assert response.status_code == 503
    checks = [{"name": name, "ok": name != "vault"} for name in ("store", "queue", "vault")]
    assert json_body(response) == {"status": "unavailable", "checks": checks}
    assert "restore it from a backup" in caplog.records[-1].fields["detail"]  # type: ignore[attr-defined]


def test_a_server_is_not_ready_without_its_tables(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        with sqlite3.connect(tmp_path / "payments.db") as database:
            tables = database.execute("select name from sqlite_master where type = 'table' and name like '%payment%'")
            for (name,) in tables.fetchall():
                database.execute(f'drop table "{name}"')
        database.close()
        assert served.call("GET", "/health/ready").status_code == 503


@pytest.mark.parametrize(("status", "ready"), [(200, 200), (302, 200), (404, 200), (500, 503), (503, 503)])
def test_a_server_is_as_ready_as_what_it_depends_on(
    tmp_path: Path, dependency: tuple[str, dict[str, int]], status: int, ready: int
) -> None:
    url, says = dependency
    says["status"] = status
    with serving(tmp_path, dependencies=(url,)) as served:
        response = served.call("GET", "/health/ready")
    assert response.status_code == ready
    assert json_body(response)["checks"][3] == {"name": "dependency 1", "ok": ready == 200}
    assert url not in response.body.decode()


def test_a_server_is_not_ready_while_nothing_listens_where_it_depends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(tmp_path, dependencies=("http://127.0.0.1:1/?key=hunter2",)) as served:
        assert served.call("GET", "/health/ready").status_code == 503
    assert caplog.records[-1].fields["detail"] == "127.0.0.1: the connection was refused"  # type: ignore[attr-defined]


@pytest.mark.parametrize(("fresh_s", "second"), [(60, 200), (-1, 503)])
def test_readiness_is_asked_for_again_only_after_a_while(
    tmp_path: Path,
    dependency: tuple[str, dict[str, int]],
    monkeypatch: pytest.MonkeyPatch,
    fresh_s: float,
    second: int,
) -> None:
    monkeypatch.setattr(health, "FRESH_S", fresh_s)
    url, says = dependency
    with serving(tmp_path, dependencies=(url,)) as served:
        assert served.call("GET", "/health/ready").status_code == 200
        says["status"] = 500
        assert served.call("GET", "/health/ready").status_code == second
