"""The demo's orders where things go wrong later: refunds that race, a PSP that falls silent, money that comes late."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from dev.shop import Json, Listener, Shop, expect

RACERS = 8


def paid(shop: Shop, order: str, **more: object) -> Json:
    """An order that its shopper has paid."""
    answer = shop.checkout(order, **more)
    expect(answer.status_code == 201, f"a page to pay on, not {answer.status_code} {answer.text}")
    payment: Json = answer.json()
    shop.pay(payment, "paid")
    return shop.wait_until(payment["id"], lambda now: bool(now["status"] == "captured"), "the payment is captured")


def refund_race(shop: Shop) -> str:
    """Eight refunds of 6.00 at once, of 10.50: one is made, seven are refused, whoever comes first."""
    payment = paid(shop, "order-4")
    with ThreadPoolExecutor(RACERS) as pool:
        answers = list(pool.map(lambda number: shop.refund(payment["id"], 600, f"race-{number}"), range(RACERS)))
    codes = sorted(answer.status_code for answer in answers)
    expect(codes == [201] + [409] * (RACERS - 1), f"one refund of eight, not {codes}")
    shop.wait_until(payment["id"], lambda now: bool(now["amounts"]["refunded"] == 600), "6.00 went back, and no more")
    return str(payment["id"])


def silent_refund(shop: Shop, listener: Listener) -> str:
    """The PSP refunds and does not say so: the refund is unknown, its money reserved, until the PSP is asked."""
    payment = paid(shop, "order-5", metadata={"sandbox-a": "refund_error_500_after"})
    answer = shop.refund(payment["id"], 1050, "silent")
    expect(answer.status_code == 202, f"202 for a refund that nobody knows of, not {answer.status_code} {answer.text}")
    another = shop.refund(payment["id"], 1, "another")
    expect(another.status_code in (201, 409), f"what is reserved is not refunded twice, not {another.status_code}")
    shop.wait_until(payment["id"], lambda now: bool(now["status"] == "refunded"), "the refund is found at the PSP", 60)
    again = shop.refund(payment["id"], 1050, "silent")
    expect(
        (again.status_code, again.json()["status"]) == (201, "succeeded"),
        f"its key tells what became of it: {again.text}",
    )
    listener.wait_for(payment["id"], "operation.succeeded")
    return str(payment["id"])


def late_money(shop: Shop, listener: Listener) -> str:
    """The shopper cancels, and her money comes all the same: the route accepts it, and the shop is told."""
    answer = shop.checkout("order-6", metadata={"sandbox-a": "late_success"})
    expect(answer.status_code == 201, f"a page to pay on, not {answer.status_code} {answer.text}")
    payment = answer.json()
    shop.pay(payment, "cancelled")
    shop.wait_until(payment["id"], lambda now: bool(now["status"] == "cancelled"), "the payment is cancelled")
    shop.wait_until(payment["id"], lambda now: bool(now["status"] == "captured"), "the late money is accepted")
    listener.wait_for(payment["id"], "payment.captured")
    return str(payment["id"])
