"""What floor and product have in common."""

from __future__ import annotations

from typing import Any

from dev.sandbox.accounts import ACCOUNTS

ACCOUNT = ACCOUNTS["sandbox-a"]

# Durable commits on each way through, which the run compares with what the product really makes.
CHECKOUT_COMMITS = 3  # the payment twice, its event's message once
WEBHOOK_COMMITS = 1  # the queued delivery
NOTIFICATION_COMMITS = 2  # the message's lease, which also removes the one before, and the delivery record

ORDER: dict[str, Any] = {
    "amount": {"value": 1050, "currency": "EUR"},
    "order_reference": "order-1001",
    "payment_method": "card",
    "description": "Two books",
    "customer": {"id": "c-17", "email": "shopper@example.com"},
    "return_url": "https://shop.example/return",
}
