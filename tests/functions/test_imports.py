"""What a function imports, since a cold start pays for all of it: measured in a process of its own, from its handler's address
on to its first answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.aws.events import called, proxied, queued

ROOT = Path(__file__).parents[2]
# Starts as Lambda starts it, answers one event, and tells the answer and all modules.
CALLED = """
import json, sys
import app
from tests.aws.events import Context
answer = getattr(app, sys.argv[1])(json.loads(sys.argv[2]), Context())
print(json.dumps([answer, sorted(sys.modules)]))
"""
CLOUD = {
    "DATABASE_URL": "dynamodb:paymentserver",
    "QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/paymentserver",
    "VAULT_KEY": "alias/a",
    "WEBHOOK_VAULT_KEY": "alias/b",
    "LINK_KEY": "alias/c",
    "ISSUER": "https://issuer.example/realm",
}
SQL = ("sqlalchemy", "alembic", "sqlite3")


def imported(name: str, event: dict[str, Any], **settings: str) -> tuple[Any, set[str]]:
    """The answer, and what is in `sys.modules` after it, with the clients of AWS made and nobody called."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PAYMENTSERVER_", "COVERAGE"))
    }
    environment |= {f"PAYMENTSERVER_{key}": value for key, value in {**CLOUD, **settings}.items()}
    environment |= {"AWS_LAMBDA_FUNCTION_NAME": name, "AWS_DEFAULT_REGION": "eu-west-1"}
    environment |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    done = subprocess.run(
        [sys.executable, "-c", CALLED, name, json.dumps(event)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer, modules = json.loads(done.stdout)
    return answer, set(modules)


def within(modules: set[str], *names: str) -> list[str]:
    return sorted(one for one in modules if any(one == name or one.startswith(f"{name}.") for name in names))


EVENTS = {
    "app": proxied("GET", "/v1/payments", body=None),
    "webhooks": called("POST", "/nowhere"),
    "apply": queued("inbound"),
    "notify": queued("events"),
    "attend": queued("chores"),
}


@pytest.mark.parametrize("name", EVENTS)
def test_no_function_imports_a_sql_toolkit(name: str) -> None:
    assert within(imported(name, EVENTS[name])[1], *SQL) == []


def test_the_webhook_function_imports_nothing_that_webhooks_do_not_need() -> None:
    answer, modules = imported("webhooks", EVENTS["webhooks"])
    assert answer["statusCode"] == 404
    ours = within(modules, "chalicelib.api")
    assert ours == [
        "chalicelib.api",
        "chalicelib.api.envelope",
        "chalicelib.api.problem",
        "chalicelib.api.route_table",
    ]
    assert within(modules, "chalicelib.publishers", "chalicelib.identity", "chalicelib.outbound.driver") == []
    assert within(modules, "chalice", "requests", "jwt", "boto3", "prometheus_client", "pydantic_settings") == []
    assert "chalicelib.services.intake" in modules
    assert within(modules, "botocore.client")


def test_the_apis_function_leaves_what_operators_ask_for_until_they_ask() -> None:
    answer, modules = imported("app", EVENTS["app"])
    assert answer["statusCode"] == 401
    rare = ("experiments", "simulate", "replay", "statistics", "configure_routes", "audit_objects")
    assert within(modules, *(f"chalicelib.services.{name}" for name in rare)) == []
    assert within(modules, "chalicelib.publishers.webhook", "chalicelib.publishers.kafka", "boto3") == []


def test_a_queues_function_imports_no_api() -> None:
    for name in ("apply", "notify", "attend"):
        assert within(imported(name, EVENTS[name])[1], "chalicelib.api", "chalicelib.identity", "chalice", "jwt") == []


def test_importing_app_alone_imports_next_to_nothing() -> None:
    code = (
        "import sys, app; print(*(one for one in sys.modules if one.startswith(('chalice', 'pydantic', 'botocore'))))"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["chalicelib", "chalicelib.functions", "chalicelib.functions.handlers"]
