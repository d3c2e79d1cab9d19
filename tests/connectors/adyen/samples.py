"""Orders and webhooks for tests of Adyen's connector."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from chalicelib.connectors.adyen.connector import AdyenConnector
from chalicelib.connectors.adyen.settings import AdyenSettings
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.facts import Fact
from chalicelib.domain.ids import attempt_id_of, operation_id_of, payment_id_of
from chalicelib.domain.money import Money
from chalicelib.domain.order import CaptureMode, Order
from tests.connectors.adyen.profile import PROFILE, SECRET, sign

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PAYMENT_ID = payment_id_of("default", "a-key")
ATTEMPT_ID = attempt_id_of(PAYMENT_ID, 1)
OPERATION_ID = operation_id_of(PAYMENT_ID, "an-operation")
PAID = "ADYENPAYMENT0001"


def connector(**settings: Any) -> AdyenConnector:
    return AdyenConnector(AdyenSettings.model_validate({**PROFILE.settings, **settings}, strict=False))


def order(**changes: Any) -> Order:
    asked = Order(Money(1050, "EUR"), "order-1", "https://shop.example/return", "https://shop.example/cancel")
    return replace(asked, **changes)


def checkout(**changes: Any) -> CheckoutOrder:
    wanted = order(**changes)
    return CheckoutOrder(ATTEMPT_ID, "adyen-1", wanted, NOW, wanted.return_url, wanted.cancel_url)


def reference(facts: Sequence[Fact] = (), psp_reference: str | None = "PL1", **changes: Any) -> AttemptRef:
    return AttemptRef(checkout(**changes), psp_reference, tuple(facts))


def item(
    event: str, psp_reference: str = PAID, at: str = "2026-03-01T12:00:00+00:00", **changes: Any
) -> dict[str, Any]:
    """Of an automatic capture's payment; `changes` are put over it, and what is None is left out."""
    said = {
        "amount": {"currency": "EUR", "value": 1050},
        "eventCode": event,
        "eventDate": at,
        "merchantAccountCode": PROFILE.settings["merchant_account"],
        "merchantReference": ATTEMPT_ID,
        "pspReference": psp_reference,
        "success": "true",
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}


def delivery(*items: dict[str, Any], live: str = "false", secret: str = SECRET) -> Delivery:
    body = {"live": live, "notificationItems": [{"NotificationRequestItem": one} for one in items]}
    return sign(json.dumps(body).encode(), secret, NOW)


def manual(event: str, psp_reference: str = PAID, **changes: Any) -> dict[str, Any]:
    return item(event, psp_reference, merchantReference=f"{ATTEMPT_ID}-manual", **changes)


def asked_by(request: Any) -> Any:
    return json.loads(request.body)


MANUAL = {"capture": CaptureMode.MANUAL}
