"""`make demo`: six orders end to end, each with its timeline. Exits non-zero when anything is not as promised."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import requests

from dev.launcher import Places, places
from dev.shop import Failed, Json, Listener, Shop, expect
from dev.troubles import late_money, refund_race, silent_refund
from dev.verifier import NotVerified, verify

STARTS_WITHIN_S = 300  # what it needs may have to be installed first


def is_up(at: Places) -> bool:
    try:
        with urllib.request.urlopen(f"{at.api}/health/ready", timeout=3) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


def tell(shop: Shop, title: str, payment_id: str) -> None:
    """Prints the timeline, once the shop's own notification of the last status is in it."""
    payment = shop.payment(payment_id)
    started = f"payment.{payment['status']} to {shop.subscription_id},"
    ends = time.monotonic() + 30
    while not any(entry["summary"].startswith(started) for entry in shop.timeline(payment_id)):
        expect(time.monotonic() < ends, f"the shop is told that the payment is {payment['status']}")
        time.sleep(0.05)
    print(f"\n{title}\n  {payment_id} is {payment['status']}")
    for entry in shop.timeline(payment_id):
        print(f"    {entry['at'][11:23]}  {entry['kind']:<9} {entry['summary']}")


def first_order(shop: Shop, listener: Listener, secret: str) -> str:
    """The shopper pays, the shop is told by a signed webhook, and the money goes back from the PSP's dashboard."""
    answer = shop.checkout("order-1")
    expect(answer.status_code == 201, f"a page to pay on, not {answer.status_code} {answer.text}")
    payment = answer.json()
    shop.pay(payment, "paid")
    shop.wait_until(payment["id"], lambda now: bool(now["status"] == "captured"), "the payment is captured")
    headers, body = listener.wait_for(payment["id"], "payment.captured")
    try:
        verify(secret, headers, body)
    except NotVerified:
        raise Failed("the notification carries a good signature") from None
    refund_at_psp(payment)
    shop.wait_until(payment["id"], lambda now: bool(now["status"] == "refunded"), "the payment is refunded")
    listener.wait_for(payment["id"], "payment.refunded")
    return str(payment["id"])


def refund_at_psp(payment: Json) -> None:
    page = payment["next_action"]["url"]
    account, session = page.rsplit("/pay/", 1)
    answer = requests.post(f"{account}/dashboard/sessions/{session}/refunds", json={}, timeout=10)
    expect(answer.status_code in (200, 201, 303), f"a refund in the PSP's dashboard, not {answer.status_code}")


def second_order(shop: Shop) -> str:
    """The first PSP declines; the shopper pays at the next one."""
    answer = shop.checkout("order-2", metadata={"sandbox-a": "decline_soft"})
    expect(answer.status_code == 201, f"a page at the next PSP, not {answer.status_code} {answer.text}")
    payment = answer.json()
    tried = [(attempt["connection_id"], attempt["status"]) for attempt in payment["attempts"]]
    expect(
        tried == [("sandbox-a", "declined"), ("sandbox-b", "pending")], f"sandbox-a declined, sandbox-b open: {tried}"
    )
    shop.pay(payment, "authenticated")
    shop.wait_until(payment["id"], lambda now: bool(now["status"] == "captured"), "the payment is captured")
    return str(payment["id"])


def third_order(shop: Shop) -> str:
    """The first PSP opens a page and never answers: it is sealed, the shopper pays elsewhere, and the page is closed."""
    print("\nThe third order meets a PSP that never answers; this takes a while ...", flush=True)
    answer = shop.checkout("order-3", metadata={"sandbox-a": "timeout_after"})
    expect(answer.status_code == 201, f"a page at the next PSP, not {answer.status_code} {answer.text}")
    payment = answer.json()
    tried = [(attempt["connection_id"], attempt["status"]) for attempt in payment["attempts"]]
    expect(tried == [("sandbox-a", "sealed"), ("sandbox-b", "pending")], f"sandbox-a sealed, sandbox-b open: {tried}")
    shop.pay(payment, "paid")
    shop.wait_until(payment["id"], lambda now: bool(now["status"] == "captured"), "the payment is captured")
    closed = "the page has expired"
    ends = time.monotonic() + 30
    while not any(closed in entry["summary"] for entry in shop.timeline(payment["id"])):
        expect(time.monotonic() < ends, "the sealed page is closed at the first PSP")
        time.sleep(0.2)
    return str(payment["id"])


def run(at: Places) -> None:
    shop, listener = Shop(at.api, at.identity), Listener()
    secret = shop.subscribe(listener.url)
    try:
        tell(shop, "Order 1: paid, told, refunded", first_order(shop, listener, secret))
        tell(shop, "Order 2: declined at one PSP, paid at the next", second_order(shop))
        tell(shop, "Order 3: a PSP that never answers", third_order(shop))
        tell(shop, "Order 4: eight refunds at once, one is made", refund_race(shop))
        tell(shop, "Order 5: a refund that the PSP made and did not tell of", silent_refund(shop, listener))
        tell(shop, "Order 6: money that comes after the shopper cancelled", late_money(shop, listener))
    finally:
        shop.unsubscribe()
        listener.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m dev.demo", description=__doc__)
    parser.add_argument(
        "--launcher", default="dev.launcher", help="the module that starts PaymentServer where none runs"
    )
    launcher = parser.parse_args(arguments).launcher
    at = places()
    started: subprocess.Popen[bytes] | None = None
    with tempfile.TemporaryDirectory(prefix="paymentserver-demo-") as var:
        log = Path(var) / "launcher.log"
        if not is_up(at):
            environment = {**os.environ, "PORT": str(at.port)}
            environment.setdefault("PAYMENTSERVER_VAR", var)
            print("Starting PaymentServer for the demo ...", flush=True)
            with log.open("wb") as out:
                command = [sys.executable, "-m", launcher]
                started = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            ends = time.monotonic() + STARTS_WITHIN_S
            while not is_up(at):
                if started is not None and started.poll() is not None:
                    raise Failed("PaymentServer starts; instead:\n" + log.read_text(errors="replace")[-2000:])
                expect(time.monotonic() < ends, f"PaymentServer is ready within {STARTS_WITHIN_S} s")
                time.sleep(0.1)
            run(at)
            print("\nEverything was as promised.")
        except Failed as promise:
            sys.exit(f"\nNOT AS PROMISED: {promise}")
        finally:
            if started is not None and started.poll() is None:
                started.send_signal(signal.SIGTERM)
                started.wait(40)


if __name__ == "__main__":
    main()
