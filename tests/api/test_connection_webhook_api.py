"""A connection's webhook over HTTP."""

from __future__ import annotations

from pathlib import Path

from tests.api.configuring import CONNECTION, serving_configuration

WEBHOOK = "/v1/connections/toy-nl/webhook"


def test_what_to_enter_at_the_psp_is_read_and_made(tmp_path: Path) -> None:
    with serving_configuration(tmp_path) as api:
        assert api.call("POST", "/v1/connections", CONNECTION).status_code == 201
        assert api.call("GET", WEBHOOK).json_body == {
            "url": "https://hooks.pay.example/webhooks/default/toy-nl",
            "events": ["paid"],
            "where": "the toy's box",
            "secret": "its lid",
            "secret_field": "webhook_secret",
            "has_secret": False,
            "creates": True,
        }
        made = api.call("POST", WEBHOOK)
        assert (made.status_code, made.json_body["problem"]) == (200, "outage")


def test_reading_needs_its_scope_and_making_another(tmp_path: Path) -> None:
    with serving_configuration(tmp_path) as api:
        api.call("POST", "/v1/connections", CONNECTION)
        assert api.call("GET", WEBHOOK, token="default audit:read").status_code == 403
        assert api.call("POST", WEBHOOK, token="default config:read").status_code == 403
        assert api.call("GET", "/v1/connections/none/webhook").status_code == 404
