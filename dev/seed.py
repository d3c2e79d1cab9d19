"""What the first start of a development server finds: connections to the three sandbox accounts, and two routes."""

from __future__ import annotations

from contextlib import suppress

from chalicelib.domain.errors import Conflict
from chalicelib.routing.rules import RouteBody
from chalicelib.services.audit import Actor
from chalicelib.services.configure_connections import ConnectionBody, create_connection
from chalicelib.services.configure_routes import create_route
from chalicelib.wiring import Wiring, wiring
from dev.sandbox.accounts import ACCOUNTS

MERCHANT = "default"
CHAIN = {"use": ["sandbox-a", "sandbox-b"]}
ROUTES: tuple[dict[str, object], ...] = (
    {"name": "default", "otherwise": CHAIN},
    {"name": "careful", "otherwise": CHAIN, "unanswered": "hold"},
)


def seed(sandbox_url: str) -> None:
    """Creates what is missing, and leaves what is there as it is. A crash half-way is made good by the next start."""
    seed_into(wiring(), sandbox_url)


def seed_into(wired: Wiring, sandbox_url: str) -> None:
    wired.store.migrate()
    actor = Actor("seed", "launcher", None)
    for account in ACCOUNTS.values():
        body = ConnectionBody.model_validate(
            {
                "id": account.name,
                "connector": "sandbox",
                "settings": {
                    "base_url": f"{sandbox_url}/{account.name}",
                    "account": account.name,
                    "api_key": account.api_key,
                    "webhook_secret": account.webhook_secret,
                },
            }
        )
        with suppress(Conflict):
            create_connection(wired.ports, actor, MERCHANT, body)
    for route in ROUTES:
        with suppress(Conflict):
            create_route(wired.ports, actor, MERCHANT, RouteBody.model_validate(route))
