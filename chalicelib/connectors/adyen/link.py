"""The body of `POST /paymentLinks`, and what an answer about a link says.

Descriptive text is cut to what Adyen takes; what it can not take is left out, because nobody should lose a sale over it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.connectors.adyen.address import address_of
from chalicelib.connectors.adyen.amounts import AMOUNTS
from chalicelib.connectors.adyen.methods import METHODS
from chalicelib.connectors.adyen.references import reference_in, reference_of
from chalicelib.connectors.adyen.tables import LINK_STATUS
from chalicelib.contracts.amounts import Unwritable
from chalicelib.contracts.calls import CheckoutOrder, Opened
from chalicelib.contracts.email import ordinary
from chalicelib.contracts.page import page_in
from chalicelib.domain.facts import Fact, Kind
from chalicelib.domain.ids import payment_id_in
from chalicelib.domain.money import Money
from chalicelib.domain.order import CaptureMode, Customer, Order
from chalicelib.domain.payment import NextAction

Json = Mapping[str, Any]

LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
DESCRIPTION_MAX = 280
METADATA_MAX, METADATA_KEY_MAX, METADATA_VALUE_MAX = 20, 20, 80
_KEPT_FROM_METADATA = frozenset({"checkout.linkId"})  # a name of Adyen's own
_PHONE = re.compile(r"\+[0-9]{5,18}")
_NAME_MAX = 80


def link_of(order: CheckoutOrder, merchant_account: str, page_minutes: int) -> dict[str, Any]:
    """Raises Unwritable for an amount that Adyen can not take."""
    wanted = order.order
    fields = {
        "merchantAccount": merchant_account,
        "reference": reference_of(order.attempt_id, wanted.capture),
        "amount": amount_of(wanted.amount),
        "returnUrl": order.return_url,
        "expiresAt": _time(order.started_at + timedelta(minutes=page_minutes)),
        "reusable": False,
        "merchantOrderReference": wanted.order_reference,
        "description": (wanted.description or wanted.order_reference)[:DESCRIPTION_MAX],
        "metadata": _metadata_of(order),
        "allowedPaymentMethods": [METHODS[wanted.payment_method]] if wanted.payment_method in METHODS else None,
        "countryCode": wanted.country,
        "shopperLocale": _locale_of(wanted),
        "lineItems": _lines_of(wanted),
        "billingAddress": address_of(wanted.billing_address, wanted.country),
        "deliveryAddress": address_of(wanted.shipping_address, wanted.country),
        **_capture_of(wanted),
        **_shopper_of(wanted.customer),
    }
    return {name: value for name, value in fields.items() if value is not None}


def amount_of(money: Money) -> dict[str, Any]:
    """Raises Unwritable."""
    return {"currency": money.currency, "value": AMOUNTS.written(money)}


def opened_of(link: Json, order: CheckoutOrder, asked: Json) -> Opened:
    """`asked`: the call's body. Raises KeyError, TypeError or ValueError on what is not the link that was asked for."""
    if any(link[name] != asked[name] for name in ("amount", "reference", "merchantAccount")):
        raise ValueError("the link is not the one that was asked for")
    expires_at = datetime.fromisoformat(link.get("expiresAt") or asked["expiresAt"])
    url = page_in(link["url"])
    action = NextAction(url, expires_at=expires_at.astimezone(UTC)) if link["status"] == "active" else None
    return Opened(link["id"], action, (link_fact(link, order.attempt_id),))


def link_fact(link: Json, attempt_id: str) -> Fact:
    """Adyen says only how far the page is; what was paid, and its reference, a webhook says. Raises ValueError where it is
    another attempt's, whose end would be taken for this one's."""
    id, status, reference = link["id"], link["status"], reference_in(link["reference"])
    if reference is None or reference.attempt_id != attempt_id:
        raise ValueError("the link is another attempt's")
    if not LINK_ID.fullmatch(id):
        raise ValueError("a link's id is letters and digits")
    return Fact(attempt_id, Kind.CHECKOUT, id, LINK_STATUS.of(status), reason=LINK_STATUS.note(status))


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _capture_of(order: Order) -> dict[str, Any]:
    """Said for each payment, because an account has a default of its own."""
    if order.capture is CaptureMode.MANUAL:
        return {"manualCapture": True}
    return {"manualCapture": False, "captureDelayHours": 0}


def _metadata_of(order: CheckoutOrder) -> dict[str, str]:
    ours = {"attempt_id": order.attempt_id, "payment_id": payment_id_in(order.attempt_id) or ""}
    theirs = {
        key: value
        for key, value in (order.order.metadata or {}).items()
        if len(key) <= METADATA_KEY_MAX and len(value) <= METADATA_VALUE_MAX and key not in _KEPT_FROM_METADATA
    }
    return dict(list({**ours, **theirs, **ours}.items())[:METADATA_MAX])


def _locale_of(order: Order) -> str | None:
    """A language and a country, such as nl-NL."""
    language, *rest = (order.locale or "").split("-")
    region = next((part.upper() for part in rest if len(part) == 2 and part.isalpha()), order.country)
    return f"{language.lower()}-{region}" if len(language) == 2 and region else None


def _lines_of(order: Order) -> list[dict[str, Any]] | None:
    """Only where they add up to the amount: some payment methods refuse an order whose lines do not."""
    if sum(line.quantity * line.unit_amount.value for line in order.lines) != order.amount.value:
        return None
    try:
        return [
            {
                "id": line.reference or str(number),
                "description": line.name,
                "quantity": line.quantity,
                "amountIncludingTax": AMOUNTS.written(line.unit_amount),
            }
            for number, line in enumerate(order.lines, 1)
        ]
    except Unwritable:
        return None


def _shopper_of(customer: Customer | None) -> dict[str, Any]:
    if customer is None:
        return {}
    first, _, last = " ".join((customer.name or "").split()).rpartition(" ")
    phone = re.sub(r"[ ().\-/]", "", customer.phone or "")
    reference = customer.id or ""
    return {
        "shopperEmail": ordinary(customer.email),
        "shopperReference": reference if len(reference) >= 3 and "@" not in reference else None,
        "shopperName": {"firstName": first[:_NAME_MAX], "lastName": last[:_NAME_MAX]} if first else None,
        "telephoneNumber": phone if _PHONE.fullmatch(phone) else None,
    }
