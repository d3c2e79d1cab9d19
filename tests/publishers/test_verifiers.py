"""The verifiers of docs/webhooks.md take what we send, and nothing else."""

from __future__ import annotations

import base64
import inspect
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.publishers.signatures import signed_headers_of
from chalicelib.services.signing_keys import new_signing_key
from dev import verifier
from dev.verifier import NotVerified, verify
from tests.publishers.verifiers import code_of, in_node, in_python

SECRET, OLDER = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "whsec_b2xkZXJvbGRlcm9sZGVyb2xkZXJvbGRlcg=="
STRANGER = "whsec_c3RyYW5nZXJzdHJhbmdlcnN0cmFuZ2VyMTIzNA=="
BODY = '{"id": "evt_1", "text": "ä"}'.encode()
MUTATIONS = 100_000
REFUSED = "not a fresh delivery of ours"
HOSTILE = [
    "",
    " ",
    ",",
    "v1",
    "v1,",
    "v1,%%%",
    "v1,a,b",
    "v1,é",
    "t=1,v1=",
    "v1a,AAAA",
    "\x00",
    "\udc80",
    "9" * 400,
    "-1",
    "1e3",
    "nan",
    "inf",
    "1_700",
    "١٢٣",
    "²",
    " 1700000000",
    "1700000000\n",
    "evt.1",
    None,
]


def delivery(*secrets: str, at: float | None = None) -> dict[str, Any]:
    """Its headers."""
    return dict(signed_headers_of("evt_1", int(time.time() if at is None else at), BODY, secrets or (SECRET,)))


def test_the_page_shows_the_verifier_that_the_demo_runs() -> None:
    shown = code_of("python")
    assert inspect.getsource(verifier).partition('"""\n\n')[2] in shown


@pytest.mark.parametrize("secret", [SECRET, OLDER])
def test_a_delivery_is_verified_with_either_live_secret(secret: str) -> None:
    in_python()["verify"](secret, delivery(SECRET, OLDER), BODY)  # raises where it is not
    assert in_node([case(secret, delivery(SECRET, OLDER))]) == ["verified"]


STALE = [("another secret", STRANGER, 0.0), ("too old", SECRET, -302.0), ("from the future", SECRET, 302.0)]


@pytest.mark.parametrize(("secret", "late_s"), [one[1:] for one in STALE], ids=[one[0] for one in STALE])
def test_it_is_refused(secret: str, late_s: float) -> None:
    headers = delivery(SECRET, OLDER, at=time.time() + late_s)
    page = in_python()
    with pytest.raises(page["NotVerified"]):
        page["verify"](secret, headers, BODY)
    assert in_node([case(secret, headers)]) == [REFUSED]


@pytest.mark.parametrize("late_s", [-290.0, 290.0])
def test_clocks_may_differ_by_five_minutes(late_s: float) -> None:
    headers = delivery(at=time.time() + late_s)
    verify(SECRET, headers, BODY)
    assert in_node([case(SECRET, headers)]) == ["verified"]


def hostile_deliveries() -> list[dict[str, Any]]:
    """Each header in turn replaced by each hostile text, and left out."""
    made = []
    for name in delivery():
        made += [{**delivery(), name: text} for text in HOSTILE]
        made.append({other: text for other, text in delivery().items() if other != name})
    return [*made, {}]


def test_hostile_headers_raise_one_error_in_python() -> None:
    for headers in hostile_deliveries():
        with pytest.raises(NotVerified):
            verify(SECRET, headers, BODY)


def test_hostile_headers_raise_one_error_in_node() -> None:
    told = in_node([case(SECRET, headers) for headers in hostile_deliveries()])
    assert set(told) == {REFUSED}


def test_what_is_signed_can_not_be_cut_at_another_dot() -> None:
    """`evt_1.<now>` as id and what follows as timestamp and body has the same signature."""
    now = int(time.time())
    body = f"{now}.{{}}".encode()
    shifted = {**signed_headers_of("evt_1", now, body, (SECRET,)), "webhook-id": f"evt_1.{now}"}
    with pytest.raises(NotVerified):
        verify(SECRET, shifted, b"{}")
    assert in_node([{**case(SECRET, shifted), "body": base64.b64encode(b"{}").decode()}]) == [REFUSED]


def test_of_100_000_mutations_none_is_verified() -> None:
    chance = random.Random(20260301)
    for _ in range(MUTATIONS):
        headers, body = mutated(delivery(), chance)
        with pytest.raises(NotVerified):
            verify(SECRET, headers, body)


def test_of_mutations_none_is_verified_in_node() -> None:
    chance = random.Random(20260302)
    mutations = [mutated(delivery(), chance) for _ in range(10_000)]
    asked = [{**case(SECRET, headers), "body": base64.b64encode(body).decode()} for headers, body in mutations]
    assert set(in_node(asked)) == {REFUSED}


def mutated(headers: dict[str, Any], chance: random.Random) -> tuple[dict[str, Any], bytes]:
    """One to three edits of the body or of headers; what still carries its own signature over the same text is none."""
    sent: dict[str, bytes] = {"body": BODY, **{name: text.encode() for name, text in headers.items()}}
    signature = sent["webhook-signature"]
    parts = dict(sent)
    while {**parts, "webhook-signature": signature} == sent and signature in parts["webhook-signature"].split(b" "):
        for _ in range(chance.randint(1, 3)):
            name = chance.choice(sorted(parts))
            parts[name] = chance.choice(EDITS)(parts[name], chance)
    body = parts.pop("body")
    return {name: text.decode("latin-1") for name, text in parts.items()}, body


def _flip(text: bytes, chance: random.Random) -> bytes:
    if not text:
        return b"x"
    at = chance.randrange(len(text))
    return text[:at] + bytes([text[at] ^ (1 << chance.randrange(8))]) + text[at + 1 :]


def _insert(text: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(text))
    return text[:at] + bytes([chance.randrange(256)]) + text[at:]


def _cut(text: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(text))
    return text[:at] + text[at + chance.randint(1, 8) :]


def _double(text: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(text))
    return text[:at] + text[:at] + text[at:]


def _other_case(text: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(text))
    return text[:at] + text[at:].swapcase()


EDITS: list[Callable[[bytes, random.Random], bytes]] = [_flip, _insert, _cut, _double, _other_case]


def case(secret: str, headers: dict[str, Any], name: str = "verify") -> dict[str, Any]:
    return {"name": name, "secret": secret, "headers": headers, "body": base64.b64encode(BODY).decode()}


@pytest.mark.parametrize("which", [0, 1])
def test_with_ed25519_either_live_public_key_verifies(which: int) -> None:
    live = [new_signing_key("ed25519") for _ in range(2)]
    headers, public = delivery(SECRET, *(one.secret for one in live)), live[which].public
    assert public is not None
    in_python()["verify_ed25519"](public, headers, BODY)  # raises where it is not
    assert in_node([case(public, headers, "verifyEd25519")]) == ["verified"]


def test_with_ed25519_another_key_another_time_or_hostile_headers_are_refused() -> None:
    key, stranger = new_signing_key("ed25519"), new_signing_key("ed25519")
    assert key.public is not None
    assert stranger.public is not None
    headers = delivery(key.secret)
    stale = delivery(key.secret, at=time.time() - 302)
    cases = [(stranger.public, headers), (key.public, stale), (key.public, delivery(SECRET))]
    cases += [(key.public, {**headers, name: text}) for name in headers for text in HOSTILE]
    page = in_python()
    for public, sent in cases:
        with pytest.raises(page["NotVerified"]):
            page["verify_ed25519"](public, sent, BODY)
    assert set(in_node([case(public, sent, "verifyEd25519") for public, sent in cases])) == {REFUSED}
