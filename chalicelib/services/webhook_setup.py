"""What to enter at the PSP so that it tells us what happens, and having it entered where the PSP's API can."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chalicelib.contracts.calls import Refusal
from chalicelib.contracts.conversation import CallFailed
from chalicelib.contracts.webhooks import WebhookSetup
from chalicelib.domain.configuration import Connection
from chalicelib.domain.errors import Conflict
from chalicelib.outbound.driver import Deadline
from chalicelib.services.audit import Actor
from chalicelib.services.change import CONNECTIONS, update
from chalicelib.services.configure_connections import (
    TEST_BUDGET_S,
    ConnectionTest,
    connector_of,
    judged,
    opened,
    read_connection,
)
from chalicelib.services.kinds import connection_key
from chalicelib.services.ports import Ports
from chalicelib.services.seal_settings import Place, seal_settings
from chalicelib.services.secrets import concealed, masked, secret_texts
from chalicelib.services.webhook_links import webhook_url


@dataclass(frozen=True, slots=True)
class Setup:
    """`has_secret`: the connection keeps one, so that webhooks can be verified."""

    setup: WebhookSetup
    has_secret: bool


def webhook_setup(ports: Ports, merchant_id: str, connection_id: str) -> Setup:
    """Raises NotFound, Conflict, VaultFault."""
    connection = read_connection(ports, merchant_id, connection_id)
    live, _ = opened(ports, connection)
    setup = live.webhook_setup(webhook_url(ports, connection))
    return Setup(setup, not setup.secret_field or _has_secret(connection, setup))


def create_webhook(ports: Ports, actor: Actor, merchant_id: str, connection_id: str) -> ConnectionTest:
    """Makes the webhook through the PSP's API and keeps its secret. A call that nobody knows the end of may have made one:
    then its secret is lost, and the PSP's dashboard shows what to delete.

    Raises NotFound, Conflict where the API can not or the connection has a secret already, VaultFault.
    """
    connection = read_connection(ports, merchant_id, connection_id)
    live, settings = opened(ports, connection)
    setup = live.webhook_setup(webhook_url(ports, connection))
    if not setup.creates:
        raise Conflict(
            "This PSP's API makes no webhook: GET says what to enter there by hand, and whether anything is."
        )
    _check_absent(connection, setup)
    try:
        made = ports.driver.converse(live.create_webhook(setup.url), Deadline(TEST_BUDGET_S))
    except CallFailed as error:
        return ConnectionTest(False, "outage", error.detail)
    if isinstance(made, Refusal):
        return judged(concealed(made, secret_texts(settings)))

    def decide(present: Connection) -> Connection:
        _check_absent(present, setup)
        given = {**masked(present.settings, present.secrets), **made.settings}
        place = Place(merchant_id, connection_id, "/settings", present.secrets)
        sealed = seal_settings(ports.vault, connector_of(ports, present).settings, given, place)
        return replace(present, settings=sealed.public, secrets=sealed.secrets)

    update(ports, CONNECTIONS, connection_key(merchant_id, connection_id), None, decide, actor)
    return ConnectionTest(True, None, f"The PSP made the webhook {made.psp_reference}.")


def _check_absent(connection: Connection, setup: WebhookSetup) -> None:
    if _has_secret(connection, setup):
        raise Conflict(
            f"The connection verifies a webhook already, in {setup.secret_field}: where the PSP shall make another, "
            "put null there first."
        )


def _has_secret(connection: Connection, setup: WebhookSetup) -> bool:
    """A PSP may verify by what is no secret, such as the webhook's name."""
    return setup.secret_field in connection.secrets or bool(connection.settings.get(setup.secret_field))
