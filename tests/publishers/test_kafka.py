"""What a Kafka target may be, and how it becomes the client's settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.contracts.publisher import Publication, Retry, Target
from chalicelib.publishers.kafka import KafkaPublisher, KafkaTarget, security_of, servers_of
from tests.conformance.certificates import authority_in
from tests.conformance.channel import LOOPBACK

LOGIN = {"sasl_mechanism": "SCRAM-SHA-512", "username": "shop-events", "password": "password-of-the-shop"}


def target(**settings: Any) -> KafkaTarget:
    return KafkaTarget.model_validate({"bootstrap_servers": "kafka.example:9093", "topic": "payments", **settings})


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("kafka.example:9093", [("kafka.example", 9093)]),
        ("one:1, two:65535", [("one", 1), ("two", 65535)]),
        ("[2a00::1]:9093,b-1.kafka.example:9094", [("2a00::1", 9093), ("b-1.kafka.example", 9094)]),
    ],
)
def test_servers_are_hosts_with_ports(text: str, servers: list[tuple[str, int]]) -> None:
    assert servers_of(text) == servers


NO_SERVERS = ("", "a", "a:", ":1", "a:0", "a:65536", "a:٩", "a:1,", "a:1 b:1", "2a00::1:9093", "é:1", "a/b:1")
WITH_MORE = ("SASL_SSL://a:9093", "user:password@a:9093", ",".join(["a:9093"] * 11))


@pytest.mark.parametrize("text", NO_SERVERS + WITH_MORE)
def test_servers_are_nothing_else(text: str) -> None:
    with pytest.raises(ValidationError, match="bootstrap_servers"):
        target(bootstrap_servers=text)


@pytest.mark.parametrize("topic", ["", ".", "..", "a b", "a/b", "é", "a\n", "a" * 250])
def test_a_topic_has_a_name_that_kafka_allows(topic: str) -> None:
    with pytest.raises(ValidationError, match="topic"):
        target(topic=topic)


@pytest.mark.parametrize("missing", LOGIN)
def test_a_login_is_whole(missing: str) -> None:
    with pytest.raises(ValidationError, match="go together"):
        target(**{name: value for name, value in LOGIN.items() if name != missing})


def test_a_client_certificate_comes_with_its_key(tmp_path: Path) -> None:
    _, certificate, _ = authority_in(tmp_path)
    with pytest.raises(ValidationError, match="go together"):
        target(client_certificate=certificate.read_text())


@pytest.mark.parametrize("field", ["ca_certificates", "client_certificate"])
@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_certificates_are_pem(field: str, text: str) -> None:
    with pytest.raises(ValidationError, match=r"certificates in PEM|at least 1 character"):
        target(**{field: text})


def test_an_authority_is_of_no_use_without_tls(tmp_path: Path) -> None:
    ca, _, _ = authority_in(tmp_path)
    with pytest.raises(ValidationError, match="need tls"):
        target(tls=False, ca_certificates=ca.read_text())


@pytest.mark.parametrize(
    ("settings", "protocol"),
    [
        ({}, "SSL"),
        (LOGIN, "SASL_SSL"),
        ({"tls": False}, "PLAINTEXT"),
        ({"tls": False, **LOGIN}, "SASL_PLAINTEXT"),
    ],
)
def test_tls_is_on_unless_told_otherwise(settings: dict[str, Any], protocol: str) -> None:
    assert security_of(target(**settings))["security.protocol"] == protocol


def test_every_setting_reaches_the_client(tmp_path: Path) -> None:
    ca, certificate, key = (file.read_text() for file in authority_in(tmp_path))
    given = security_of(target(ca_certificates=ca, client_certificate=certificate, client_key=key, **LOGIN))
    assert given == {
        "security.protocol": "SASL_SSL",
        "ssl.endpoint.identification.algorithm": "https",
        "ssl.ca.pem": ca,
        "ssl.certificate.pem": certificate,
        "ssl.key.pem": key,
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "shop-events",
        "sasl.password": "password-of-the-shop",
    }


@pytest.mark.parametrize(
    ("servers", "tls", "allowed"),
    [
        ("93.184.216.34:9093,10.0.0.1:9093", True, LOOPBACK),
        ("[::1]:9093", True, ()),
        ("93.184.216.34:9092", False, LOOPBACK),
        ("kafka.example:9092", False, ()),
    ],
)
def test_servers_that_may_not_be_dialled_are_objected_to(servers: str, tls: bool, allowed: tuple[str, ...]) -> None:
    found = KafkaPublisher(allowed_networks=allowed).objection(target(bootstrap_servers=servers, tls=tls))
    assert found is not None
    assert found.pointer == "/bootstrap_servers"


@pytest.mark.parametrize(("servers", "tls"), [("kafka.example:9093", True), ("127.0.0.1:9092,[::1]:9092", False)])
def test_servers_that_may_be_dialled_are_not(servers: str, tls: bool) -> None:
    assert KafkaPublisher(allowed_networks=LOOPBACK).objection(target(bootstrap_servers=servers, tls=tls)) is None


def test_a_missing_library_is_named_with_its_requirements_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    here = Target(target(bootstrap_servers="127.0.0.1:9", tls=False))
    with pytest.raises(Retry, match=r"requirements/channels/kafka\.txt"):
        KafkaPublisher(allowed_networks=LOOPBACK).publish(Publication("evt_1", "test", None, b"{}"), here)


def test_the_library_is_imported_only_when_it_is_used() -> None:
    code = "import sys, chalicelib.publishers.kafka; print('confluent_kafka' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
