"""What the webhook channel sends, and what it makes of each answer."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar

import pytest
from requests.adapters import HTTPAdapter

from chalicelib.contracts.publisher import Publication, Receipt, Rejected, Retry, Target
from chalicelib.domain.configuration import Requested
from chalicelib.domain.errors import Pointer
from chalicelib.publishers import webhook
from chalicelib.publishers.signatures import signature_of
from chalicelib.publishers.webhook import WebhookPublisher, WebhookTarget
from tests.outbound.keeping import Keeping, keeping

SECRET, OLDER = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "whsec_b2xkZXJvbGRlcm9sZGVyb2xkZXJvbGRlcg=="
PUBLICATION = Publication("evt_1", "payment.captured", "pay_1", b"{}")
LOOPBACK = ("127.0.0.0/8",)
NOBODY = "http://127.0.0.1:1/"


@pytest.fixture
def shop() -> Iterator[Keeping]:
    with keeping() as serving:
        yield serving


@pytest.fixture
def publisher() -> Iterator[WebhookPublisher]:
    made = WebhookPublisher(allowed_networks=LOOPBACK)
    yield made
    made.close()


def target(url: str, **headers: str) -> Target:
    return Target(WebhookTarget.model_validate({"url": url, "headers": headers}), (SECRET, OLDER))


def after(shop: Keeping, publisher: WebhookPublisher, status: int, answer: bytes = b"", **headers: str) -> Any:
    """What publishing comes to where the shop answers so."""
    shop.answers = [(status, {name.replace("_", "-"): value for name, value in headers.items()}, answer)]
    try:
        return publisher.publish(PUBLICATION, target(shop.url))
    except (Retry, Rejected) as failed:
        return failed


def test_a_delivery_is_signed_over_its_id_its_time_and_its_bytes_with_each_live_secret(
    shop: Keeping, publisher: WebhookPublisher
) -> None:
    publisher.publish(PUBLICATION, target(shop.url))
    (request,) = shop.requests
    headers = dict(line.split(": ", 1) for line in request.split("\r\n")[1:] if ": " in line)
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert headers["webhook-id"] == "evt_1"
    at = int(headers["webhook-timestamp"])
    assert abs(at - time.time()) < 30
    assert headers["webhook-signature"].split(" ") == [signature_of(one, "evt_1", at, b"{}") for one in (SECRET, OLDER)]


class Watched(HTTPAdapter):
    """The transport, and how it was asked to send."""

    asked: ClassVar[list[dict[str, Any]]] = []

    def send(self, request: Any, **how: Any) -> Any:  # type: ignore[override]
        self.asked.append(how)
        return super().send(request, **how)


def test_a_target_has_five_seconds_to_be_reached_and_fifteen_to_answer(
    shop: Keeping, publisher: WebhookPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = webhook.guarded_session

    def watched(allowed: tuple[str, ...]) -> Any:
        session = guarded(allowed)
        session.mount("http://", Watched())
        return session

    monkeypatch.setattr(webhook, "guarded_session", watched)
    publisher.publish(PUBLICATION, target(shop.url))
    how = Watched.asked.pop()
    assert (how["timeout"], how["stream"], how["verify"]) == ((5.0, 15.0), True, True)


@pytest.mark.parametrize("status", [200, 204, 299])
def test_2xx_is_delivered(shop: Keeping, publisher: WebhookPublisher, status: int) -> None:
    receipt = after(shop, publisher, status)
    assert (type(receipt), receipt.status, receipt.answer) == (Receipt, status, "")


def test_the_answer_is_kept(shop: Keeping, publisher: WebhookPublisher) -> None:
    assert after(shop, publisher, 200, "gut \u00fc".encode()).answer == "gut \u00fc"
    assert after(shop, publisher, 200, b"\xff").answer == "\ufffd", "whatever it is"
    packed = gzip.compress(b"packed")
    assert after(shop, publisher, 200, packed, Content_Encoding="gzip").answer == "packed"


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (199 + 101, "the target answered 300, and redirects are not followed"),
        (399, "the target answered 399, and redirects are not followed"),
        (400, "the target answered 400"),
        (599, "the target answered 599"),
    ],
)
def test_whatever_else_is_tried_again_and_told(
    shop: Keeping, publisher: WebhookPublisher, status: int, detail: str
) -> None:
    failed = after(shop, publisher, status, b"why")
    assert isinstance(failed, Retry)
    assert (failed.detail, failed.status, failed.answer, failed.after_s) == (detail, status, "why", None)


SENT = (
    *(f"ce-{name}" for name in ("id", "type")),
    "Content-Type",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
)
EVENT = Publication("evt_1", "payment.captured", "pay_1", b'{"id": "evt_1", "type": "payment.captured"}')


@pytest.mark.parametrize("status", [204, 500, 410])
def test_what_was_asked_is_told_without_query_and_values(
    shop: Keeping, publisher: WebhookPublisher, status: int
) -> None:
    shop.answers = [(status, {}, b"")]
    try:
        outcome: Any = publisher.publish(EVENT, target(f"{shop.url}hook?key=secret", Authorization="Bearer token-7"))
    except (Retry, Rejected) as failed:
        outcome = failed
    assert outcome.request == Requested("POST", f"{shop.url}hook", ("Authorization", *SENT))


def test_what_was_asked_of_nobody_is_told_too(publisher: WebhookPublisher) -> None:
    with pytest.raises(Retry) as failed:
        publisher.publish(EVENT, target(NOBODY))
    assert failed.value.request == Requested("POST", NOBODY, SENT)


def test_a_long_address_is_told_in_part(shop: Keeping, publisher: WebhookPublisher) -> None:
    receipt = publisher.publish(EVENT, target(shop.url + "x" * 900))
    assert receipt.request is not None
    assert receipt.request.address == (shop.url + "x" * 900)[:500]


def test_a_target_that_is_gone_is_told_with_its_answer(shop: Keeping, publisher: WebhookPublisher) -> None:
    failed = after(shop, publisher, 410, b"bye")
    assert isinstance(failed, Rejected)
    assert (failed.detail, failed.status, failed.answer) == ("the target is gone (410)", 410, "bye")


def test_nobody_there_is_told_without_the_address(publisher: WebhookPublisher) -> None:
    with pytest.raises(Retry, match=r"^no answer from the target \(the connection was refused\)$"):
        publisher.publish(PUBLICATION, target(NOBODY))


def test_an_address_that_may_not_be_dialled_is_told(shop: Keeping) -> None:
    strict = WebhookPublisher(allowed_networks=("10.0.0.0/8",))
    with pytest.raises(Rejected, match=r"^the target's address is private, loopback or reserved; allow its network"):
        strict.publish(PUBLICATION, target(shop.url))
    assert shop.requests == []


def test_https_is_what_is_asked_for_where_nothing_private_is_allowed() -> None:
    with pytest.raises(Rejected, match=r"^the target's address is private"):
        WebhookPublisher().publish(PUBLICATION, target("https://127.0.0.1:1/"))


def test_plain_http_is_rejected_where_nothing_private_is_allowed(shop: Keeping) -> None:
    with pytest.raises(Rejected, match=r"^the target must be https$"):
        WebhookPublisher().publish(PUBLICATION, target(shop.url))


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("0", 0.0),
        ("17", 17.0),
        ("86400", 86_400.0),
        ("86401", 86_400.0),
        ("99999999", 86_400.0),
        ("999999999", None),
        ("-1", None),
        ("\u00b2", None),
        ("soon", None),
        ("Fri, 01 Mar 1996 12:00:00 GMT", 0.0),
        ("Sat, 01 Mar 2996 12:00:00 GMT", 86_400.0),
        ("Sat, 01 Mar 2996 12:00:00 -0000", 86_400.0),
    ],
)
def test_a_target_may_say_when_to_come_again(
    shop: Keeping, publisher: WebhookPublisher, status: int, retry_after: str, seconds: float | None
) -> None:
    failed = after(shop, publisher, status, Retry_After=retry_after)
    assert (type(failed), failed.after_s) == (Retry, seconds)


@pytest.mark.parametrize(
    ("zone_h", "written"),
    [(0, "GMT"), (0, "-0000"), (2, "+0200")],
    ids=["UTC", "an unknown zone is UTC", "another zone"],
)
def test_a_date_to_come_again_at_is_so_many_seconds_away(
    shop: Keeping, publisher: WebhookPublisher, zone_h: int, written: str
) -> None:
    at = datetime.now(timezone(timedelta(hours=zone_h))) + timedelta(hours=1)
    failed = after(shop, publisher, 503, Retry_After=f"{at:%a, %d %b %Y %H:%M:%S} {written}")
    assert 3500 < failed.after_s <= 3600


def test_a_closed_publisher_has_let_its_connections_go(shop: Keeping, publisher: WebhookPublisher) -> None:
    publisher.publish(PUBLICATION, target(shop.url))
    publisher.close()
    publisher.publish(PUBLICATION, target(shop.url))
    assert shop.connections == 2


def test_a_publisher_that_never_published_closes_too() -> None:
    assert WebhookPublisher().close() is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize("size", [1023, 1024, 1025])
def test_a_connection_is_used_again_where_nothing_of_the_answer_is_left(
    shop: Keeping, publisher: WebhookPublisher, size: int
) -> None:
    for _ in range(2):
        assert after(shop, publisher, 200, b"x" * size).answer == "x" * min(size, 1024)
    assert shop.connections == 1


def test_an_endless_answer_costs_a_connection(shop: Keeping, publisher: WebhookPublisher) -> None:
    for _ in range(2):
        after(shop, publisher, 200, b"x" * 5000)
    assert shop.connections == 2


@pytest.mark.parametrize(
    ("url", "allowed", "objection"),
    [
        ("https://shop.example/", (), None),
        ("http://shop.example/", (), "must be https"),
        ("http://shop.example/", LOOPBACK, None),
        ("https://127.0.0.1/", LOOPBACK, None),
        ("http://127.0.0.1/", LOOPBACK, None),
        (
            "https://127.0.0.1/",
            (),
            "is a private, loopback or reserved address; PAYMENTSERVER_ALLOWED_TARGETS may allow it",
        ),
        (
            "https://10.0.0.1/",
            LOOPBACK,
            "is a private, loopback or reserved address; PAYMENTSERVER_ALLOWED_TARGETS may allow it",
        ),
        ("https://93.184.216.34/", (), None),
    ],
)
def test_a_target_is_objected_to_before_it_is_called(url: str, allowed: tuple[str, ...], objection: str | None) -> None:
    found = WebhookPublisher(allowed_networks=allowed).objection(WebhookTarget(url=url))
    assert found == (None if objection is None else Pointer("/url", objection))
