"""`make record PSP=name SETTINGS=file.json`: has the connector talk to the PSP's real test environment, and writes what was
said as scenarios, `scenarios/recorded.json`, scrubbed.

`file.json` holds a connection's settings with real test keys; nothing of it is written anywhere. What needs no shopper is
recorded at once: the credentials' test, a page, a read, its end. Then a page is shown to be paid by hand, read, and refunded.

What the PSP answered is kept as it was. What it was asked is written as the kit's connector asks it at the scenario's own time
(`retold`), so that a recording plays whenever it was made.
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
from typing import Any

from pydantic import BaseModel, ValidationError

from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder, Opened
from chalicelib.contracts.connector import Connector
from chalicelib.contracts.conversation import CallFailed, Conversation
from chalicelib.domain.ids import attempt_id_of, operation_id_of, payment_id_of
from chalicelib.outbound.driver import Deadline, Driver
from chalicelib.services.secrets import secret_texts
from tests.conformance.connectors.playing import WEBHOOK_URLS, order_of, told_of
from tests.conformance.connectors.profile import NAMES, connector_class, profile_of
from tests.conformance.connectors.recordings import CONNECTORS
from tests.conformance.connectors.retold import SaysOtherwise, retold
from tests.conformance.connectors.written import SCRUBBED, Json, recorded, scrubbed

Talk = Callable[[Conversation[Any]], Any]
TEXT_MIN = 6  # a shorter setting, such as `live`, may be a part of any word


class Recorder:
    """Talks for one connector by `talk`, and keeps what becomes scenarios; `odd` tells what did not."""

    def __init__(
        self,
        psp: str,
        connector: Connector,
        secrets: tuple[str, ...],
        talk: Talk,
        *,
        webhook_url: str = "",
        account: Mapping[str, str] | None = None,
    ) -> None:
        """`account`: what names the account in what is said, and the profile's own in its place."""
        self._psp, self._connector, self._talk = psp, connector, talk
        payment_id = payment_id_of("recording", str(time.time_ns()))  # no key of the PSP knows it yet
        self._attempt_id = attempt_id_of(payment_id, 1)
        self._operation_id = operation_id_of(payment_id, "a")
        self._hidden = {self._attempt_id: "${attempt_id}", self._operation_id: "${operation_id}"}
        self._hidden |= {**dict.fromkeys(secrets, SCRUBBED), **(account or {})}
        order, address = order_of({}), connector.capabilities.webhook_address
        checkout = CheckoutOrder(
            self._attempt_id,
            "recording",
            order,
            datetime.now(UTC),
            order.return_url,
            order.cancel_url,
            webhook_url or WEBHOOK_URLS[address],
        )
        self._attempt = AttemptRef(checkout, None)
        self.scenarios: list[Json] = []
        self.odd: list[str] = []

    def say(self, name: str, call: str, conversation: Conversation[Any], **more: Any) -> Any:
        exchanges: list[Json] = []
        try:
            said = self._talk(recorded(conversation, exchanges))
        except CallFailed as error:
            self.odd.append(f"{name}: {type(error).__name__}, {error.detail}")
            return None
        if isinstance(said, Opened):
            self._hidden[said.psp_reference] = "${psp_reference}"
            self._attempt = replace(self._attempt, psp_reference=said.psp_reference)
        view = told_of(said, []).view
        for fact in view.get("facts", ()):
            fact.pop("attempt_id", None)  # the recording's own attempt
        scenario = {"name": f"recorded: {name}", "call": call, **more, "exchanges": exchanges, "expect": view}
        self.scenarios.append(self._retold(scrubbed(scenario, self._hidden)))
        return said

    def _retold(self, scenario: Json) -> Json:
        """As it was where the kit says otherwise: the kit fails then, and somebody looks."""
        try:
            return retold(self._psp, scenario)
        except SaysOtherwise as error:
            self.odd.append(f"{scenario['name']}: {error}")
            return scenario

    def without_a_shopper(self) -> str:
        """Gives the page's address."""
        self.say("credentials that are good", "test", self._connector.test())
        opened = self.say("a page is opened", "open_checkout", self._connector.open_checkout(self._attempt.checkout))
        if not isinstance(opened, Opened) or opened.action is None:
            raise SystemExit(f"no page was opened: {opened} {self.odd}")
        self.say("a page that nobody has visited", "fetch", self._connector.fetch(self._attempt))
        return opened.action.url

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


def account_of(psp: str, settings: BaseModel) -> dict[str, str]:
    """The texts of the settings that are no secrets, and the profile's in their place."""
    named, own = settings.model_dump(), profile_of(psp).settings
    texts = {name: text for name, text in named.items() if isinstance(text, str) and len(text) >= TEXT_MIN}
    return {text: str(own[name]) for name, text in texts.items() if name in own and own[name] != text}


def settings_in(path: Path, made: type[BaseModel]) -> BaseModel:
    """Raises SystemExit with what is wrong, without a secret."""
    try:
        return made.model_validate(json.loads(path.read_text()), strict=False)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)]
        raise SystemExit(f"make record: {path} does not fit: {'; '.join(wrong)}") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no JSON"
        raise SystemExit(
            f"make record: SETTINGS={path}: {why}. It is to be a file with a connection's settings, as JSON; "
            f"needed are {', '.join(name for name, field in made.model_fields.items() if field.is_required())}."
        ) from None


def document_of(recorder: Recorder, source: str) -> str:
    today = datetime.now(UTC).date().isoformat()
    written = {"recorded": f"live on {today}", "source": source, "scenarios": recorder.scenarios}
    return json.dumps(written, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> Path:
    """The file that was written."""
    parser = argparse.ArgumentParser(prog="make record")
    parser.add_argument("psp", choices=NAMES)
    parser.add_argument("settings", type=Path, help="a connection's settings with real test keys, as JSON")
    parser.add_argument("--webhook-url", default="", help="for a PSP that is told one and looks whether it is there")
    given = parser.parse_args(arguments)
    made = connector_class(given.psp)
    settings = settings_in(given.settings, made.settings)
    connector: Connector = made(settings)  # type: ignore[call-arg]  # every connector is made of its settings
    driver = Driver()
    recorder = Recorder(
        given.psp,
        connector,
        secret_texts(settings),
        lambda one: driver.converse(one, Deadline(30)),
        webhook_url=given.webhook_url,
        account=account_of(given.psp, settings),
    )
    url = recorder.without_a_shopper()
    if input(f"Pay at {url} and press Enter, or type `skip`: ").strip() == "skip":
        recorder.ended()
    else:
        recorder.after_the_shopper()
    path = CONNECTORS / given.psp / "scenarios" / "recorded.json"
    path.write_text(document_of(recorder, f"{made.title}'s test environment"))
    for one in recorder.odd:
        sys.stderr.write(f"{one}\n")
    return path


if __name__ == "__main__":
    sys.stdout.write(f"{main(sys.argv[1:])}\n")
