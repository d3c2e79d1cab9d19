"""Google's in-memory Pub/Sub server behind its REST interface; subscribers pull. It forgets all when it stops, so it is the
wire that stops and starts."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from chalicelib.contracts.publisher import Publisher, Target
from chalicelib.publishers.pubsub import SCOPE, PubSubPublisher, PubSubTarget
from tests.conformance.channel import LOOPBACK, Received, lacking, needs_library, wired
from tests.conformance.wire import Wire
from tests.servers.pubsub import build

PROJECT = "shop-project"
ACCOUNT = "publisher@shop-project.iam.gserviceaccount.com"
_numbers = itertools.count()


class ServiceAccount:
    """A service account with a key of its own, as Google's console gives it away."""

    def __init__(self, email: str = ACCOUNT) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        self.private_key = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        self.json = json.dumps(
            {
                "type": "service_account",
                "project_id": PROJECT,
                "private_key_id": "1",
                "private_key": self.private_key,
                "client_email": email,
                "token_uri": "http://127.0.0.1:1/never-called",
            }
        )

    def signed_by(self, other: ServiceAccount) -> str:
        return json.dumps({**json.loads(self.json), "private_key": other.private_key})

    def public_key_in(self, folder: Path) -> Path:
        file = folder / "account.pem"
        file.write_bytes(
            self._key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        return file


class Api:
    """The server's REST interface, as an operator and a subscriber use it."""

    def __init__(self, port: int, account: ServiceAccount) -> None:
        from google.oauth2.service_account import Credentials

        self._url = f"http://127.0.0.1:{port}/v1/projects/{PROJECT}"
        found = Credentials.from_service_account_info(json.loads(account.json), scopes=[SCOPE])
        self._credentials = found.with_always_use_jwt_access(True)

    def call(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers: dict[str, str] = {}
        self._credentials.before_request(None, method, self._url, headers)
        answer = requests.request(method, f"{self._url}/{path}", json=body, headers=headers, timeout=10)
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        return document

    def create(self, topic: str) -> None:
        self.call("PUT", f"topics/{topic}", {})
        ordered = {
            "topic": f"projects/{PROJECT}/topics/{topic}",
            "ackDeadlineSeconds": 600,
            "enableMessageOrdering": True,
        }
        self.call("PUT", f"subscriptions/{topic}", ordered)

    def pulled(self, subscription: str) -> list[dict[str, Any]]:
        """All that is waiting, acknowledged."""
        asked = {"returnImmediately": True, "maxMessages": 1000}
        found = self.call("POST", f"subscriptions/{subscription}:pull", asked).get("receivedMessages", [])
        if found:
            acknowledged = {"ackIds": [one["ackId"] for one in found]}
            self.call("POST", f"subscriptions/{subscription}:acknowledge", acknowledged)
        return [one["message"] for one in found]


class _Destination:
    def __init__(self, api: Api, port: int, account: ServiceAccount, topic: str) -> None:
        self._api, self._account, self._topic = api, account, topic
        self._got: list[Received] = []
        self._endpoint = f"http://localhost:{port}"
        self.target = self._at(self._endpoint)
        self.missing = self._at(self._endpoint, topic="nobody-made-it")
        self.wrong_credentials = self._at(self._endpoint, key=account.signed_by(ServiceAccount()))
        self.secrets = (account.json, *account.private_key.splitlines()[1:-1])

    def received(self) -> list[Received]:
        self._got += [received_of(one) for one in self._api.pulled(self._topic)]
        return list(self._got)

    def plain_at(self, host: str) -> Target:
        return self._at(f"http://{host}")

    @contextmanager
    def tls_at(self, port: int, ca: Path | None) -> Iterator[Target]:
        with pytest.MonkeyPatch.context() as patched:
            if ca is not None:
                patched.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(ca))
            yield self._at(f"https://localhost:{port}")

    def _at(self, endpoint: str, topic: str = "", key: str = "") -> Target:
        return target_of(endpoint, topic or self._topic, key or self._account.json)


def target_of(endpoint: str, topic: str, key: str) -> Target:
    given = {"project": PROJECT, "topic": topic, "service_account": key, "endpoint": endpoint}
    return Target(PubSubTarget.model_validate_json(json.dumps(given)))


def received_of(message: dict[str, Any]) -> Received:
    attributes: dict[str, str] = message["attributes"]
    return Received(
        base64.b64decode(message["data"]),
        attributes["Content-Type"],
        attributes["ce-id"],
        message.get("orderingKey"),
        {name[3:]: value for name, value in attributes.items() if name.startswith("ce-")},
    )


class PubSubServer:
    def __init__(self, port: int, account: ServiceAccount, wire: Wire) -> None:
        self.address, self.account, self.wire = ("127.0.0.1", port), account, wire
        self.api = Api(port, account)

    def publisher(self, *, connect_timeout_s: float = 5.0, answer_timeout_s: float = 15.0) -> Publisher:
        return PubSubPublisher(
            allowed_networks=LOOPBACK, connect_timeout_s=connect_timeout_s, answer_timeout_s=answer_timeout_s
        )

    @contextmanager
    def destination(self) -> Iterator[_Destination]:
        topic = f"payments-{next(_numbers)}"
        self.api.create(topic)
        yield _Destination(self.api, self.wire.port, self.account, topic)

    def stop(self) -> None:
        self.wire.cut()

    def start(self) -> None:
        self.wire.mend()


@contextmanager
def pubsub(folder: Path) -> Iterator[PubSubServer]:
    needs_library("google.auth", "pubsub")
    if not build.is_possible():
        lacking("Google's Pub/Sub server is not here: apt-get install golang-go golang-google-cloud-dev")
    account = ServiceAccount()
    with (
        build.running("-key", str(account.public_key_in(folder)), "-publisher", ACCOUNT) as port,
        wired(("127.0.0.1", port)) as wire,
    ):
        yield PubSubServer(port, account, wire)
