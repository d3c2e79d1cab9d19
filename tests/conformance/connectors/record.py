"""`make record PSP=name SETTINGS=file.json`: has the connector talk to the PSP's real test environment, and writes what was
said as scenarios, `scenarios/recorded.json`, scrubbed.

`file.json` holds a connection's settings with real test keys; nothing of it is written anywhere. What needs no shopper is
recorded at once: the credentials' test, a page, a read, its end. Then a page is shown to be paid by hand, read, and refunded.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder, Opened
from chalicelib.contracts.connector import Connector
from chalicelib.contracts.conversation import Conversation, HttpRequest, HttpResponse
from chalicelib.domain.ids import attempt_id_of, operation_id_of, payment_id_of
from chalicelib.outbound.driver import Deadline, Driver
from chalicelib.services.secrets import secret_texts
from tests.conformance.connectors.playing import order_of, told_of
from tests.conformance.connectors.profile import NAMES, connector_class
from tests.conformance.connectors.recordings import CONNECTORS

T = TypeVar("T")
KEPT_HEADERS = ("idempotent-replayed", "retry-after")
ASKED_HEADERS = ("idempotency-key", "content-type")  # a PSP's other ones hold credentials, signatures and times
TOKENS = ("client_secret", "secret", "access_token", "refresh_token", "id_token")
SCRUBBED = "scrubbed"
Talk = Callable[[Conversation[Any]], Any]
Json = dict[str, Any]


def recorded(conversation: Conversation[T], exchanges: list[Json]) -> Conversation[T]:
    """The same conversation; `exchanges` get what was asked and answered."""
    try:
        request = next(conversation)
        while True:
            response = yield request
            exchanges.append({"request": _asked(request), "answer": _answered(response)})
            request = conversation.send(response)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


def _asked(request: HttpRequest) -> Json:
    address, _, query = request.url.partition("?")
    asked: Json = {"method": request.method, "url": address}
    if query:
        asked["query"] = dict(parse_qsl(query, keep_blank_values=True))
    headers = {name: text for name, text in request.headers.items() if name.lower() in ASKED_HEADERS}
    if headers:
        asked["headers"] = headers
    if request.body:
        text = request.body.decode()
        is_form = "urlencoded" in headers.get("Content-Type", "")
        asked |= {"form": dict(parse_qsl(text, keep_blank_values=True))} if is_form else _document(text, "json", "text")
    elif request.body is not None:
        asked["form"] = {}
    return asked


def _answered(response: HttpResponse) -> Json:
    headers = {name: text for name, text in response.headers.items() if name in KEPT_HEADERS}
    answer: Json = {"status": response.status, **({"headers": headers} if headers else {})}
    text = response.body.decode(errors="replace")
    document = _document(text, "body", "text")
    return {**answer, **(document if "body" in document else {"body": {"$text": text}})}


def _document(text: str, name: str, otherwise: str) -> Json:
    try:
        return {name: json.loads(text)}
    except ValueError:
        return {otherwise: text}


def scrubbed(value: Any, hidden: Mapping[str, str]) -> Any:
    """Without secrets and tokens, our ids and the PSP's reference by the names that scenarios have for them."""
    if isinstance(value, dict):
        return {
            scrubbed(name, hidden): SCRUBBED if name in TOKENS and part else scrubbed(part, hidden)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [scrubbed(one, hidden) for one in value]
    if isinstance(value, str):
        for text, name in hidden.items():
            value = value.replace(text, name)
    return value


class Recorder:
    """Talks for one connector by `talk`, and keeps what becomes scenarios."""

    def __init__(self, psp: str, connector: Connector, secrets: tuple[str, ...], talk: Talk) -> None:
        self._psp, self._connector, self._talk = psp, connector, talk
        payment_id = payment_id_of("recording", str(time.time_ns()))  # no key of the PSP knows it yet
        self._attempt_id = attempt_id_of(payment_id, 1)
        self._operation_id = operation_id_of(payment_id, "a")
        self._hidden = {self._attempt_id: "${attempt_id}", self._operation_id: "${operation_id}"}
        self._hidden |= dict.fromkeys(secrets, SCRUBBED)
        order = order_of({})
        checkout = CheckoutOrder(
            self._attempt_id, "recording", order, datetime.now(UTC), order.return_url, order.cancel_url
        )
        self._attempt = AttemptRef(checkout, None)
        self.scenarios: list[Json] = []

    def say(self, name: str, call: str, conversation: Conversation[Any], **more: Any) -> Any:
        exchanges: list[Json] = []
        said = self._talk(recorded(conversation, exchanges))
        if isinstance(said, Opened):
            self._hidden[said.psp_reference] = "${psp_reference}"
            self._attempt = replace(self._attempt, psp_reference=said.psp_reference)
        view = told_of(said, []).view
        for fact in view.get("facts", ()):
            fact.pop("attempt_id", None)  # the recording's own attempt
        scenario = {"name": f"recorded: {name}", "call": call, **more, "exchanges": exchanges, "expect": view}
        self.scenarios.append(scrubbed(scenario, self._hidden))
        return said

    def without_a_shopper(self) -> str:
        """Gives the page's address."""
        self.say("credentials that are good", "test", self._connector.test())
        opened = self.say("a page is opened", "open_checkout", self._connector.open_checkout(self._attempt.checkout))
        self.say("a page that nobody has visited", "fetch", self._connector.fetch(self._attempt))
        return str(opened.action.url)

    def ended(self) -> None:
        if "expire" in self._connector.capabilities.operations:
            self.say("a page that we end", "expire", self._connector.expire(self._attempt))

    def after_the_shopper(self) -> None:
        self.say("a page that was paid", "fetch", self._connector.fetch(self._attempt))
        amount = self._attempt.checkout.order.amount
        some = MoneyOrder(self._attempt, self._operation_id, replace(amount, value=400))
        operation = {"amount": [400, amount.currency]}
        self.say("a refund of a part", "refund", self._connector.refund(some), operation=operation)
        self.say("what was refunded is read", "fetch", self._connector.fetch(self._attempt))


def document_of(recorder: Recorder, source: str) -> str:
    today = datetime.now(UTC).date().isoformat()
    written = {"recorded": f"live on {today}", "source": source, "scenarios": recorder.scenarios}
    return json.dumps(written, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> Path:
    """The file that was written."""
    parser = argparse.ArgumentParser(prog="make record")
    parser.add_argument("psp", choices=NAMES)
    parser.add_argument("settings", type=Path, help="a connection's settings with real test keys, as JSON")
    given = parser.parse_args(arguments)
    made = connector_class(given.psp)
    settings = made.settings.model_validate(json.loads(given.settings.read_text()), strict=False)
    connector: Connector = made(settings)  # type: ignore[call-arg]  # every connector is made of its settings
    driver = Driver()
    recorder = Recorder(given.psp, connector, secret_texts(settings), lambda one: driver.converse(one, Deadline(30)))
    url = recorder.without_a_shopper()
    if input(f"Pay at {url} and press Enter, or type `skip`: ").strip() == "skip":
        recorder.ended()
    else:
        recorder.after_the_shopper()
    path = CONNECTORS / given.psp / "scenarios" / "recorded.json"
    path.write_text(document_of(recorder, f"{made.title}'s test environment"))
    return path


if __name__ == "__main__":
    sys.stdout.write(f"{main(sys.argv[1:])}\n")
