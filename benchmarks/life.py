"""One payment's life: a checkout that is paid, one notification of it, one refund; then the clock goes on until nothing is
left to do. It is told as the functions that run in the cloud, each with what it used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from benchmarks.cloud import Cloud
from chalicelib.domain.watch import LOOKED_AGAIN_AFTER_S

PAID_AFTER_MINUTES = 2
REFUNDED_AFTER_S = 3 * 86_400.0
HOUR_AND_MORE = 75  # minutes; the statistics of an hour are closed ten minutes after its end


def checkout_of(number: int) -> dict[str, Any]:
    """A shopper's cart as shops send it: two goods, both addresses, some metadata. No dictionary was made of it."""
    street = {"line1": f"Rosenheimer Strasse {number % 200}", "line2": "Hinterhaus", "city": "Augsburg"}
    address = {**street, "postal_code": f"86{number % 1000:03d}", "region": None, "country": "DE"}
    amount = {"value": 7994 + number, "currency": "EUR"}
    goods = (("Wool blanket, dark green", 5995 + number, "WB-20871"), ("Beeswax candles, 6", 1999, "BC-11405"))
    return {
        "amount": amount,
        "order_reference": f"WEB-{2_600_000 + number}",
        "payment_method": "card",
        "description": "Order at Haus & Garten",
        "locale": "de-DE",
        "country": "DE",
        "customer": {
            "id": f"kd-{88_100 + number}",
            "email": f"j.obermeier{number}@mail.example",
            "name": "Johanna Obermeier",
            "phone": f"+49821555{number:04d}",
        },
        "billing_address": address,
        "shipping_address": address,
        "lines": [
            {"name": name, "quantity": 1, "unit_amount": {"value": value, "currency": "EUR"}, "reference": reference}
            for name, value, reference in goods
        ],
        "return_url": "https://haus-garten.example/checkout/done",
        "cancel_url": "https://haus-garten.example/checkout/cart",
        "metadata": {"channel": "app", "basket": f"bk-{number:07d}", "campaign": "autumn"},
    }


def live(
    running: Cloud,
    payments: int = 1,
    order: Callable[[int], dict[str, Any]] = checkout_of,
    minutes: int = HOUR_AND_MORE,
) -> None:
    """`payments` lives side by side. `minutes` are lived through one by one after each thing that happens: after the default
    nothing is due, and no hour of statistics ends any more."""
    running.stage = "checkout"
    opened = [running.call("/v1/checkouts", order(number)) for number in range(payments)]
    running.work()
    running.pass_minutes(PAID_AFTER_MINUTES)
    running.stage = "webhook"
    for payment in opened:
        requests.post(payment["next_action"]["url"], data={"outcome": "paid"}, allow_redirects=False, timeout=10)
        running.take_webhook()
    running.work()
    running.stage = "after the webhook"
    running.pass_minutes(minutes)
    running.pass_time(REFUNDED_AFTER_S)
    running.stage = "refund"
    for payment in opened:
        running.call("/v1/payments/{id}/refunds", {"amount": payment["amount"]}, id=payment["id"])
    running.work()
    running.stage = "webhook of the refund"
    for _ in opened:
        running.take_webhook()
    running.work()
    running.stage = "after the refund"
    running.pass_minutes(minutes)
    for after_s in LOOKED_AGAIN_AFTER_S[1:]:
        running.pass_time(after_s)
    assert all(running.due_at(one["id"]) is None for one in opened), "nothing is left to do"
