"""A stranger floods PayPal's address: neither the inbox nor our calls at PayPal take harm, and what is genuine is not lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.connectors.paypal import certificate
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.errors import SignatureInvalid, TooManyRequests
from chalicelib.domain.payment import Payment, Status
from chalicelib.services.configuration import Configuration
from chalicelib.services.intake import ASKED_EVERY_S, ASKED_MAX, UNKNOWN_EVERY_S, UNKNOWN_MAX, Intake
from chalicelib.services.public_documents import SILENT_FOR_S
from tests.connectors.paypal.peer import WEBHOOK_ID
from tests.connectors.paypal.shop import PayPalShop, shop_of
from tests.connectors.paypal.signing import signed, trusted

FORGED = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-forged-"
VERIFY = "POST /v1/notifications/verify-webhook-signature"


@pytest.fixture(autouse=True)
def our_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "public_roots", trusted)


class Door:
    """A process that takes webhooks in, and shares no memory with the one that asks PayPal."""

    def __init__(self, shop: PayPalShop, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shop, ports = shop, shop.world.ports
        configuration = Configuration(ports)
        self.intake = Intake(ports, configuration, lambda: shop.world.clock.at.timestamp())
        with monkeypatch.context() as own:
            own.setattr(certificate, "SHARED", certificate.Believed())
            configuration.receiving("default", "paypal-eu")

    def takes(self, delivery: Delivery) -> str:
        try:
            self.intake.take("default", "paypal-eu", delivery.headers, delivery.body)
        except (SignatureInvalid, TooManyRequests) as error:
            return error.slug
        return "taken"

    def flooded(self, count: int, first: int = 0) -> Counter[str]:
        """By forgeries that name a certificate each, which nobody has."""
        at = self.shop.world.clock.now()
        return Counter(
            self.takes(signed(b'{"n": %d}' % number, "ANOTHER", at, url=f"{FORGED}{number}"))
            for number in range(first, first + count)
        )


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PayPalShop]:
    monkeypatch.setattr(certificate, "SHARED", certificate.Believed())
    with shop_of(tmp_path) as one:
        yield one


@pytest.fixture
def asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PayPalShop]:
    """PayPal is asked about each webhook."""
    with shop_of(tmp_path, webhook_verification="postback") as one:
        yield one


def certificates_asked_for(shop: PayPalShop) -> int:
    return sum(one.startswith("GET /v1/notifications/certs/") for one in shop.psp.asked)


def approved(shop: PayPalShop) -> tuple[Payment, Delivery]:
    """A payment that the shopper approved, and the webhook that PayPal sends of it."""
    payment = shop.open()
    order = shop.psp.orders[shop.reference(payment)]
    shop.psp.approve(order["id"])
    return payment, shop.psp.event("CHECKOUT.ORDER.APPROVED", "checkout-order", order)


def test_forgeries_with_unknown_certificates_are_taken_in_only_so_many(
    shop: PayPalShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(shop, monkeypatch)
    assert door.flooded(300) == {"taken": UNKNOWN_MAX, "too-many-requests": 300 - UNKNOWN_MAX}
    shop.world.clock.forward(3 * UNKNOWN_EVERY_S)
    assert door.flooded(100, first=300) == {"taken": 3, "too-many-requests": 97}


def test_each_that_was_taken_in_is_decided_and_none_fills_the_inbox(
    shop: PayPalShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(shop, monkeypatch)
    door.flooded(300)
    shop.world.settle()
    assert certificates_asked_for(shop) == UNKNOWN_MAX
    assert [status for status, _ in shop.inbox()] == ["rejected"]
    for _ in range(10):
        shop.world.clock.forward(UNKNOWN_EVERY_S)
        door.flooded(30, first=1_000)
        shop.world.settle()
    assert {status for status, _ in shop.inbox()} == {"rejected"}
    assert len(shop.inbox()) <= 3, "one a minute"
    assert certificates_asked_for(shop) == UNKNOWN_MAX + 1, "of one that was refused nobody is asked again"


def test_a_genuine_webhook_is_put_back_by_a_flood_and_taken_when_paypal_repeats_it(
    shop: PayPalShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(shop, monkeypatch)
    payment, delivery = approved(shop)
    door.flooded(300)
    with pytest.raises(TooManyRequests) as refused:
        door.intake.take("default", "paypal-eu", delivery.headers, delivery.body)
    assert 0 < refused.value.retry_after_s <= UNKNOWN_EVERY_S
    shop.world.clock.forward(refused.value.retry_after_s)
    assert door.takes(delivery) == "taken"
    shop.world.settle()
    assert shop.now(payment).status is Status.CAPTURED


def test_a_payment_whose_webhooks_never_come_through_is_asked_about_all_the_same(
    shop: PayPalShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(shop, monkeypatch)
    payment, _ = approved(shop)
    door.flooded(300)
    shop.world.settle(15 * 60 + 1)
    assert shop.now(payment).status is Status.CAPTURED


def test_a_certificate_that_proved_good_is_known_at_every_door(
    shop: PayPalShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Door(shop, monkeypatch), Door(shop, monkeypatch)
    _, delivery = approved(shop)
    assert first.takes(delivery) == "taken"
    shop.world.settle()
    for door in (first, second):
        for _ in range(UNKNOWN_MAX + 5):
            assert door.takes(signed(b"{}", "ANOTHER", shop.world.clock.now())) == "signature-invalid"
            assert door.takes(delivery) == "taken", "and takes no turn of those with unknown ones"
    assert certificates_asked_for(shop) == 1


def test_a_flood_keeps_no_genuine_webhook_out_once_its_certificate_is_known(
    shop: PayPalShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(shop, monkeypatch)
    _, delivery = approved(shop)
    door.takes(delivery)
    shop.world.settle()
    assert door.takes(delivery) == "taken"
    door.flooded(300)
    assert door.takes(delivery) == "taken"


def test_a_forgery_that_names_paypals_own_certificate_proves_nothing_of_it_and_hides_it_from_nobody(
    shop: PayPalShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    door, forged = Door(shop, monkeypatch), signed(b"{}", "ANOTHER", shop.world.clock.now())
    door.takes(forged)
    shop.world.settle()
    assert Door(shop, monkeypatch).takes(forged) == "taken", "which only a genuine webhook proves good"
    door.takes(approved(shop)[1])
    shop.world.settle()
    assert Door(shop, monkeypatch).takes(forged) == "signature-invalid"
    assert certificates_asked_for(shop) == 1


def test_after_a_day_all_doors_learn_of_it_anew(shop: PayPalShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of them, or of those who ask PayPal, heard of it last."""
    doors = [Door(shop, monkeypatch) for _ in range(3)]
    for hours, door in zip((0, 23, 2), doors, strict=True):
        shop.world.clock.forward(hours * 3600)
        again = shop.psp.event("CHECKOUT.ORDER.APPROVED", "checkout-order", {"custom_id": "att_of nobody"})
        assert door.takes(again) == "taken"
        shop.world.settle()
    assert certificates_asked_for(shop) == 2
    for door in doors:
        assert door.takes(signed(b"{}", "ANOTHER", shop.world.clock.now())) == "signature-invalid"


def test_a_certificate_that_did_not_come_is_let_alone_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate, "SHARED", certificate.Believed())
    with shop_of(tmp_path) as shop:
        door = Door(shop, monkeypatch)
        payment, delivery = approved(shop)
        shop.psp.down = ("GET /v1/notifications/certs/",)
        for number in range(3):
            door.takes(replace(delivery, body=delivery.body + b" " * number))
        shop.world.settle()
        assert certificates_asked_for(shop) == 1
        shop.psp.down = ()
        for _ in range(3):
            shop.world.settle(SILENT_FOR_S)
        assert shop.now(payment).status is Status.CAPTURED


def test_in_both_ways_what_is_plainly_not_paypals_is_turned_away_at_the_door(
    shop: PayPalShop, asking: PayPalShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in (shop, asking):
        door, at = Door(one, monkeypatch), one.world.clock.now()
        good = signed(b"{}", WEBHOOK_ID, at)
        forged: dict[str, Delivery] = {
            "no headers": Delivery({}, b"{}", at),
            "no signature": without(good, "paypal-transmission-sig"),
            "a certificate elsewhere": with_(
                good, "paypal-cert-url", "https://evil.example/v1/notifications/certs/CERT-1"
            ),
            "the live host": with_(good, "paypal-cert-url", "https://api.paypal.com/v1/notifications/certs/CERT-1"),
            "another algorithm": with_(good, "paypal-auth-algo", "SHA1withRSA"),
            "sent last week": signed(b"{}", WEBHOOK_ID, at - timedelta(days=7)),
            "sent tomorrow": signed(b"{}", WEBHOOK_ID, at + timedelta(days=1)),
        }
        for what, delivery in forged.items():
            assert door.takes(delivery) == "signature-invalid", what
        one.world.settle()
        assert [status for status, _ in one.inbox()] == ["rejected"], "one a minute is kept"
        assert not [one for one in one.psp.asked if "notifications" in one]


def test_what_could_be_read_as_two_events_is_turned_away_where_paypal_would_be_asked(
    asking: PayPalShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    door, at = Door(asking, monkeypatch), asking.world.clock.now()
    for body in (b"rubbish", b"[]", b'{"a": 1, "a": 2}', b"{" * 5_000):
        assert door.takes(signed(body, WEBHOOK_ID, at)) == "signature-invalid"


def test_so_many_webhooks_are_asked_about_and_no_more(asking: PayPalShop, monkeypatch: pytest.MonkeyPatch) -> None:
    door, at = Door(asking, monkeypatch), asking.world.clock.now()
    payment, delivery = approved(asking)
    found = Counter(door.takes(signed(b'{"n": %d}' % number, WEBHOOK_ID, at)) for number in range(300))
    assert found == {"taken": ASKED_MAX, "too-many-requests": 300 - ASKED_MAX}
    asking.world.settle()
    assert asking.psp.asked.count(VERIFY) == ASKED_MAX
    assert door.takes(delivery) == "too-many-requests"
    asking.world.clock.forward(ASKED_EVERY_S)
    assert door.takes(delivery) == "taken"
    asking.world.settle()
    assert asking.now(payment).status is Status.CAPTURED


def test_what_waits_to_be_asked_about_holds_no_secret_and_all_that_is_asked(
    asking: PayPalShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(asking, monkeypatch)
    _, delivery = approved(asking)
    door.takes(delivery)
    (message,) = asking.world.queue.receive(Topic.INBOUND)
    document: dict[str, Any] = json.loads(message.body)
    assert document["state"] == "unverified"
    assert {one for one in document["headers"] if one.startswith("paypal-")} == {
        one for one in delivery.headers if one.startswith("paypal-")
    }


def without(delivery: Delivery, name: str) -> Delivery:
    return replace(delivery, headers={one: text for one, text in delivery.headers.items() if one != name})


def with_(delivery: Delivery, name: str, text: str) -> Delivery:
    return replace(delivery, headers={**delivery.headers, name: text})
