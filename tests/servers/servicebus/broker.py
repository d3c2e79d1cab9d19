"""A broker of AMQP 1.0 that receives as Azure Service Bus does, as far as a sender can see; run it as a program.

* Access tokens come to `$cbs` and are shared access signatures of a policy's key; links need the claim Send.
* There are the entities whose names begin with `queue-` and `session-`; the latter take messages with a session alone, and
  those of REJECTING take none.
* What is accepted is in the journal first, a line of JSON each, so it outlives the process.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote_plus, unquote, urlsplit

from proton import Condition, Message
from proton.handlers import MessagingHandler
from proton.reactor import Container

CREDIT = 50
REJECTING = {
    "queue-busy": "com.microsoft:server-busy",
    "queue-disabled": "com.microsoft:entity-disabled",
    "queue-full": "amqp:resource-limit-exceeded",
    "queue-odd": "com.example:odd",
    "queue-terse": "amqp:not-allowed",  # without details
}


class Refused(Exception):
    """With the status and the words that Service Bus would answer a token with."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class Policies:
    """Shared access policies by name: their key, and whether they have the claim Send."""

    def __init__(self, senders: dict[str, str], others: dict[str, str]) -> None:
        self._keys, self._senders = {**senders, **others}, frozenset(senders)

    def checked(self, token: str, audience: str) -> bool:
        """Whether the token of `audience` may send. Raises Refused."""
        kind, _, parts = token.partition(" ")
        given = dict(parse_qsl(parts))
        if kind != "SharedAccessSignature" or set(given) != {"sr", "sig", "se", "skn"}:
            raise Refused(401, "MalformedToken: The token is malformed.")
        key = self._keys.get(given["skn"])
        signed = f"{quote_plus(given['sr'])}\n{given['se']}".encode()
        wanted = base64.b64encode(hmac.new((key or "").encode(), signed, hashlib.sha256).digest()).decode()
        if key is None or not hmac.compare_digest(wanted, given["sig"]):
            raise Refused(401, "InvalidSignature: The token has an invalid signature.")
        if int(given["se"]) < time.time() or given["sr"] != audience:
            raise Refused(401, "ExpiredToken: The token is expired, or for another audience.")
        return given["skn"] in self._senders


def entity_of(address: str | None) -> str:
    """The last part of `amqps://namespace/entity`, or of the name alone."""
    return unquote(urlsplit(address or "").path).removeprefix("/")


class Broker(MessagingHandler):
    def __init__(self, port: int, journal: Path, policies: Policies, *, missing_by_token: bool) -> None:
        super().__init__(auto_accept=False, prefetch=0)
        self._port, self._journal, self._policies = port, journal, policies
        self._missing_by_token = missing_by_token
        self._may_send: dict[tuple[str, str], bool] = {}  # by connection and entity
        self._replies: dict[str, Any] = {}  # the link back from `$cbs`, by connection

    def on_start(self, event: Any) -> None:
        event.container.listen(f"127.0.0.1:{self._port}")
        print("listening", flush=True)

    def on_link_opening(self, event: Any) -> None:
        link = event.link
        if link.is_sender:
            link.source.address = link.remote_source.address
            self._replies[event.connection.remote_container] = link
        else:
            link.target.address = link.remote_target.address

    def on_link_local_open(self, event: Any) -> None:
        """The answer to an attach; one that is refused is detached at once, as AMQP 1.0 has it (2.6.3)."""
        link, entity = event.link, entity_of(event.link.target.address)
        if link.is_sender:
            return
        if entity != "$cbs":
            if not self._may_send.get((event.connection.remote_container, entity)):
                link.condition = Condition("amqp:unauthorized-access", "'Send' claim(s) are required.")
            elif not entity.startswith(("queue-", "session-")):
                link.condition = Condition("amqp:not-found", f"The messaging entity '{entity}' could not be found.")
        if link.condition:
            link.close()
        else:
            link.flow(CREDIT)

    def on_message(self, event: Any) -> None:
        if event.receiver.condition:
            return  # it was sent before the sender heard that its link is refused
        event.receiver.flow(1)
        if event.receiver.target.address == "$cbs":
            self._answer(event)
            return
        entity, message = entity_of(event.receiver.target.address), event.message
        reason = REJECTING.get(entity)
        if entity.startswith("session-") and not message.group_id:
            reason = "amqp:not-allowed"
        if reason is not None:
            event.delivery.local.condition = Condition(
                reason, "Not taken.", None if entity == "queue-terse" else {"tracking": "1"}
            )
            self.reject(event.delivery)
            return
        kept = {
            "entity": entity,
            "body": base64.b64encode(message.body).decode(),
            "content_type": message.content_type,
            "message_id": message.id,
            "session_id": message.group_id or None,
            "subject": message.subject,
            "properties": {str(name): value for name, value in message.properties.items()},
        }
        with self._journal.open("a") as journal:
            journal.write(json.dumps(kept) + "\n")
        self.accept(event.delivery)

    def _answer(self, event: Any) -> None:
        """Puts a token (CBS of the OASIS drafts, as Service Bus has it)."""
        asked, connection = event.message, event.connection.remote_container
        audience = str(asked.properties["name"])
        status, words = 202, "Accepted"
        try:
            entity = entity_of(audience)
            self._may_send[(connection, entity)] = self._policies.checked(str(asked.body), audience)
            if self._missing_by_token and not entity.startswith(("queue-", "session-")):
                raise Refused(404, f"The messaging entity '{audience}' could not be found.")
        except Refused as refused:
            status, words = refused.status, refused.words
        self.accept(event.delivery)
        answer = Message(correlation_id=asked.id, properties={"status-code": status, "status-description": words})
        self._replies[connection].send(answer)


def _named(text: str) -> tuple[str, str]:
    name, _, key = text.partition("=")
    return name, key


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--sender", type=_named, action="append", default=[], help="name=key of a policy that may send")
    parser.add_argument("--listener", type=_named, action="append", default=[], help="name=key of one that may not")
    parser.add_argument("--missing-by-token", action="store_true", help="tell of missing entities at the token")
    given = parser.parse_args()
    policies = Policies(dict(given.sender), dict(given.listener))
    Container(Broker(given.port, given.journal, policies, missing_by_token=given.missing_by_token)).run()
