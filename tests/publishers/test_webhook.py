"""The webhook channel against a real HTTP server, verified by somebody else's library."""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

import pytest
import standardwebhooks
from pydantic import ValidationError

from chalicelib.contracts.publisher import Publication, Rejected, Retry, Target
from chalicelib.publishers.webhook import WebhookPublisher, WebhookTarget
from chalicelib.services.signing_keys import new_signing_key

SECRET, OLDER = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "whsec_b2xkZXJvbGRlcm9sZGVyb2xkZXJvbGRlcg=="
BODY = '{"id": "evt_1", "text": "ä"}'.encode()
PUBLICATION = Publication("evt_1", "payment.captured", "pay_1", BODY)
LOOPBACK = ("127.0.0.0/8", "::1/128")


class Receiver(ThreadingHTTPServer):
    """Keeps what it receives and answers as it is told."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.status, self.headers, self.answer = 200, {}, b"thank you"  # type: ignore[var-annotated]
        self.echo: Callable[[dict[str, str]], bytes] | None = None
        self.connections = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                receiver.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append((headers, body))
                answer = receiver.answer if receiver.echo is None else receiver.echo(headers)
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.server_address[1]}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    serving = Receiver()
    thread = threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield serving
    serving.shutdown()
    serving.server_close()
    thread.join()


@pytest.fixture
def publisher() -> Iterator[WebhookPublisher]:
    made = WebhookPublisher(allowed_networks=LOOPBACK)
    yield made
    made.close()


def target(url: str, **headers: str) -> Target:
    return Target(WebhookTarget.model_validate({"url": url, "headers": headers}), (SECRET, OLDER))


@pytest.mark.parametrize("secret", [SECRET, OLDER])
def test_an_independent_library_verifies_it_with_either_live_secret(
    receiver: Receiver, publisher: WebhookPublisher, secret: str
) -> None:
    publisher.publish(PUBLICATION, target(receiver.url))
    headers, body = receiver.received[0]
    assert standardwebhooks.Webhook(secret).verify(body, headers) == json.loads(BODY)
    assert body == BODY


def test_headers_of_the_subscription_are_sent(receiver: Receiver, publisher: WebhookPublisher) -> None:
    publisher.publish(PUBLICATION, target(receiver.url, **{"X-Tenant": "shop-7"}))
    headers, _ = receiver.received[0]
    assert headers["x-tenant"] == "shop-7"
    assert headers["content-type"].startswith("application/cloudevents+json")


RESERVED = """webhook-signature Webhook-Id WEBHOOK-TIMESTAMP webhook-Signature webhook-anything svix-id Svix-Signature ce-id
Content-Length content-type Host User-Agent Transfer-Encoding connection TE Trailer upgrade Expect Keep-Alive
Proxy-Authorization"""


@pytest.mark.parametrize("name", RESERVED.split())
def test_headers_that_could_replace_ours_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="is set by PaymentServer itself"):
        WebhookTarget.model_validate({"url": "https://shop.example/hook", "headers": {name: "x"}})


@pytest.mark.parametrize(
    "name",
    [
        "webhook_signature",
        "Webhook_Id",
        "webhook-id:",
        " webhook-id",
        "webhook-id ",
        "a b",
        "é",
        "\uff57ebhook-id",
        "a\r\nb",
        "",
        "-",
    ],
)
def test_names_that_servers_may_take_for_others_are_refused(name: str) -> None:
    """Some servers give `_` and `-` to applications as one."""
    with pytest.raises(ValidationError, match="names are letters, digits and hyphens"):
        WebhookTarget.model_validate({"url": "https://shop.example/hook", "headers": {name: "x"}})


@pytest.mark.parametrize("name", ["Tenant", "X-Webhook-Id", "Hosted-By", "Webhooks", "Authorization"])
def test_other_headers_are_taken(name: str) -> None:
    assert name in WebhookTarget.model_validate({"url": "https://shop.example/", "headers": {name: "x"}}).headers


@pytest.mark.parametrize("text", [" x", "x ", "x\r\nwebhook-id: y", "x\ty", "\x7f", "é", "x" * 501])
def test_a_header_is_printable_text(text: str) -> None:
    with pytest.raises(ValidationError, match="values"):
        WebhookTarget.model_validate({"url": "https://shop.example/hook", "headers": {"X-Tenant": text}})


def test_a_header_stands_once() -> None:
    with pytest.raises(ValidationError, match="in another case"):
        WebhookTarget.model_validate({"url": "https://shop.example/", "headers": {"X-A": "1", "x-a": "2"}})


@pytest.mark.parametrize(("given", "taken"), [({}, 4), ({"concurrency": 1}, 1), ({"concurrency": 32}, 32)])
def test_deliveries_run_side_by_side(given: dict[str, int], taken: int) -> None:
    assert WebhookTarget.model_validate({"url": "https://shop.example/", **given}).concurrency == taken


@pytest.mark.parametrize("wrong", [0, 33, -1, "4", 4.0, True, None])
def test_deliveries_run_side_by_side_within_limits(wrong: object) -> None:
    with pytest.raises(ValidationError, match="concurrency"):
        WebhookTarget.model_validate({"url": "https://shop.example/", "concurrency": wrong})


@pytest.mark.parametrize("url", ["ftp://a/b", "https://u:p@a/b", "/hook", "https://a/b c", "https://a/#f", "https://"])
def test_an_odd_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        WebhookTarget(url=url)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 500])
def test_anything_but_2xx_is_tried_again(receiver: Receiver, publisher: WebhookPublisher, status: int) -> None:
    receiver.status, receiver.headers = status, {"Location": receiver.url}
    with pytest.raises(Retry) as failed:
        publisher.publish(PUBLICATION, target(receiver.url))
    assert failed.value.status == status
    assert len(receiver.received) == 1


def test_gone_is_never_tried_again(receiver: Receiver, publisher: WebhookPublisher) -> None:
    receiver.status = 410
    with pytest.raises(Rejected):
        publisher.publish(PUBLICATION, target(receiver.url))


@pytest.mark.parametrize(("status", "header", "seconds"), [(429, "17", 17.0), (503, "x", None), (500, "17", None)])
def test_retry_after_counts_where_it_may_be_sent(
    receiver: Receiver, publisher: WebhookPublisher, status: int, header: str, seconds: float | None
) -> None:
    receiver.status, receiver.headers = status, {"Retry-After": header}
    with pytest.raises(Retry) as failed:
        publisher.publish(PUBLICATION, target(receiver.url))
    assert failed.value.after_s == seconds


def test_one_kilobyte_of_the_answer_is_kept(receiver: Receiver, publisher: WebhookPublisher) -> None:
    receiver.answer = b"x" * 5000
    assert publisher.publish(PUBLICATION, target(receiver.url)).answer == "x" * 1024


def as_text(headers: dict[str, str]) -> bytes:
    return "\n".join(f"{name}: {value}" for name, value in headers.items()).encode()


def as_json_of_php(headers: dict[str, str]) -> bytes:
    return json.dumps(headers).replace("/", r"\/").encode()


def as_json_of_dotnet(headers: dict[str, str]) -> bytes:
    return json.dumps(headers).replace("+", r"\u002B").encode()


def as_html(headers: dict[str, str]) -> bytes:
    return f"<pre>{html.escape(str(headers))}</pre>".encode()


def as_form(headers: dict[str, str]) -> bytes:
    return urlencode(headers).encode()


def at_the_end(headers: dict[str, str]) -> bytes:
    """So that what is kept ends within the signature."""
    return b"x" * 1010 + headers["webhook-signature"].encode()


TOKEN = "tok/en+with<odd>&'\"\\chars=="


@pytest.mark.parametrize(
    "echo", [as_text, as_json_of_php, as_json_of_dotnet, as_html, as_form, at_the_end], ids=lambda one: one.__name__
)
@pytest.mark.parametrize("status", [200, 500, 410])
def test_a_target_that_repeats_what_it_was_sent_makes_no_secret_known(
    receiver: Receiver, publisher: WebhookPublisher, echo: Callable[[dict[str, str]], bytes], status: int
) -> None:
    receiver.echo, receiver.status = echo, status
    live = (SECRET, new_signing_key("ed25519").secret)
    headers = {"url": receiver.url, "headers": {"Authorization": f"Bearer {TOKEN}"}}
    try:
        answer = publisher.publish(PUBLICATION, Target(WebhookTarget.model_validate(headers), live)).answer
    except (Retry, Rejected) as failed:
        answer = failed.answer
    sent, _ = receiver.received[0]
    assert "********" in answer
    for secret in (TOKEN, *(one.partition(",")[2] for one in sent["webhook-signature"].split())):
        for part in (secret[:9], secret[9:18], secret[-9:]):  # fragments, so that no way to write it hides the whole
            assert part not in answer


def test_a_connection_is_used_again(receiver: Receiver, publisher: WebhookPublisher) -> None:
    for _ in range(3):
        publisher.publish(PUBLICATION, target(receiver.url))
    assert receiver.connections == 1


def test_loopback_is_refused_unless_allowed(receiver: Receiver) -> None:
    strict = WebhookPublisher(allowed_networks=("10.0.0.0/8",))
    with pytest.raises(Rejected, match="private, loopback or reserved"):
        strict.publish(PUBLICATION, target(receiver.url))
    assert receiver.received == []


@pytest.mark.parametrize(
    "url", ["http://shop.example/", "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/"]
)
def test_a_target_that_may_not_be_dialled_is_objected_to_at_once(url: str) -> None:
    objection = WebhookPublisher().objection(WebhookTarget(url=url))
    assert objection is not None
    assert objection.pointer == "/url"


def test_a_public_target_is_not_objected_to() -> None:
    assert WebhookPublisher().objection(WebhookTarget(url="https://shop.example/hook")) is None


def test_http_is_refused_where_nothing_private_is_allowed() -> None:
    with pytest.raises(Rejected, match="https"):
        WebhookPublisher().publish(PUBLICATION, target("http://shop.example/hook"))


def test_nobody_there_is_tried_again(publisher: WebhookPublisher) -> None:
    with pytest.raises(Retry):
        publisher.publish(PUBLICATION, target("http://127.0.0.1:9/hook"))
