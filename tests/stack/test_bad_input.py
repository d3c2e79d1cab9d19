"""What a caller gets wrong is told back: which status, what to mend, where, and a page that says more."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.stack.problems import problem_of
from tests.stack.running import Stack, order

KEY = {"Idempotency-Key": "bad-input"}
GOOD = json.dumps(order()).encode()
ROUTE = {"otherwise": {"use": ["sandbox-b"]}}
CARD = "4111 1111 1111 1111"  # the schemes' own test number


@dataclass(frozen=True)
class Bad:
    """A call that is refused with `status`; `says` stands in the detail, `pointer` in `errors` where it is given."""

    name: str
    status: int
    slug: str
    says: str = ""
    pointer: str | None = None
    method: str = "POST"
    path: str = "/v1/checkouts"
    body: object = None
    data: bytes | None = None
    headers: dict[str, str] = field(default_factory=lambda: dict(KEY))

    def __str__(self) -> str:
        return self.name


def bad_order(name: str, pointer: str, says: str = "", **changes: Any) -> Bad:
    return Bad(name, 422, "invalid", says, pointer, body=order(**changes))


def bad_query(name: str, query: str, pointer: str, path: str = "/v1/payments") -> Bad:
    return Bad(name, 422, "invalid", "", pointer, method="GET", path=f"{path}?{query}", headers={})


def nested(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


def money(value: object, currency: object = "EUR") -> dict[str, object]:
    return {"value": value, "currency": currency}


UNREADABLE = [
    Bad("not JSON", 400, "unreadable", "not JSON", data=b"{amount: 1050}"),
    Bad("an empty body", 400, "unreadable", "empty", data=b""),
    Bad("half a body", 400, "unreadable", "not JSON", data=GOOD[:-5]),
    Bad("two documents", 400, "unreadable", "not JSON", data=GOOD + GOOD),
    Bad("bytes that are no text", 400, "unreadable", "UTF-8", data=b'{"description": "\xff"}'),
    Bad("a key that stands twice", 400, "unreadable", "'amount' stands twice", data=b'{"amount": 1, "amount": 2}'),
    Bad("NaN", 400, "unreadable", "NaN", data=b'{"amount": NaN}'),
    Bad("a number of 5,000 digits", 400, "unreadable", "digits", data=b'{"amount": ' + b"9" * 5000 + b"}"),
    Bad("half a character", 400, "unreadable", "surrogate", data=b'{"description": "\\ud800"}'),
    Bad("17 levels", 400, "unreadable", "nested too deep", data=nested(17)),
    Bad("10,000 levels", 400, "unreadable", "nested too deep", data=nested(10_000)),
    Bad("64 KiB and a byte", 413, "too-large", "65536 bytes", data=GOOD + b" " * (65_537 - len(GOOD))),
    Bad("XML", 400, "unreadable", "not JSON", data=b"<a/>", headers={**KEY, "Content-Type": "text/xml"}),
    Bad(
        "a picture",
        415,
        "unsupported-media-type",
        "application/json",
        data=b"GIF89a",
        headers={**KEY, "Content-Type": "image/gif"},
    ),
]
WRONG = [
    bad_order("no amount", "/amount", amount=None),
    bad_order("no order reference", "/order_reference", order_reference=None),
    bad_order("no return address", "/return_url", return_url=None),
    bad_order("text for a number", "/amount/value", amount=money("1050")),
    bad_order("a whole float", "/amount/value", amount=money(10.0)),
    bad_order("a fraction", "/amount/value", amount=money(10.5)),
    bad_order("true for a number", "/amount/value", amount=money(True)),
    bad_order("a negative amount", "/amount/value", amount=money(-1)),
    bad_order("nothing to pay", "/amount/value", amount=money(0)),
    bad_order("too much to pay", "/amount/value", amount=money(10**12 + 1)),
    bad_order("an unknown currency", "/amount/currency", "ISO 4217", amount=money(1050, "XYZ")),
    bad_order("a currency in lower case", "/amount/currency", amount=money(1050, "eur")),
    bad_order("an amount without currency", "/amount/currency", amount={"value": 1050}),
    bad_order("an unknown field", "/colour", colour="blue"),
    bad_order("an unknown field within", "/amount/precision", amount={**money(1050), "precision": 2}),
    bad_order("a slash in an unknown field", "/a~1b~0c", **{"a/b~c": 1}),
    bad_order("a list for an object", "/customer", customer=[]),
    bad_order("too long a reference", "/order_reference", order_reference="x" * 65),
    bad_order("an address that is no URL", "/return_url", return_url="shop.example"),
    bad_order("a script for an address", "/return_url", return_url="javascript:alert(1)"),
    bad_order("a file for an address", "/cancel_url", cancel_url="file:///etc/passwd"),
    bad_order("101 lines", "/lines", lines=[{"name": "b", "quantity": 1, "unit_amount": money(1)}] * 101),
    bad_order(
        "a line in another currency",
        "/lines/0/unit_amount/currency",
        "EUR",
        lines=[{"name": "b", "quantity": 1, "unit_amount": money(1, "USD")}],
    ),
    bad_order("21 metadata", "/metadata", metadata={str(number): "x" for number in range(21)}),
    bad_order("a long metadata key", f"/metadata/{'k' * 41}", "40", metadata={"k" * 41: "x"}),
    bad_order("a long metadata value", "/metadata/a", metadata={"a": "x" * 501}),
    bad_order("a number in metadata", "/metadata/a", metadata={"a": 1}),
    bad_order("an unknown way of capture", "/capture", capture="later"),
    bad_order("a country in words", "/country", country="Netherlands"),
    Bad("a list for a body", 422, "invalid", body=[order()]),
    Bad("a card number", 422, "card-number", "card number", "/description", body=order(description=f"Pay {CARD}")),
    Bad("a card number as a key", 422, "card-number", "card number", "/metadata/…", body=order(metadata={CARD: "x"})),
    Bad("a card number as an unknown field", 422, "card-number", "card number", "/…", body=order(**{CARD: "x"})),
    Bad(
        "a card number among other faults",
        422,
        "card-number",
        "",
        "/metadata/…",
        body=order(metadata={CARD: "x" * 501}),
    ),
    Bad("an unknown route", 422, "invalid", "nowhere", "/route", body=order(route="nowhere")),
]
HEADERS = [
    Bad("no Idempotency-Key", 400, "unreadable", "Idempotency-Key is missing", body=order(), headers={}),
    Bad("an empty key", 400, "unreadable", "Idempotency-Key", body=order(), headers={"Idempotency-Key": ""}),
    Bad("a key of 256", 400, "unreadable", "255", body=order(), headers={"Idempotency-Key": "x" * 256}),
    Bad("a key with a tab", 400, "unreadable", "ASCII", body=order(), headers={"Idempotency-Key": "a\tb"}),
]
QUERIES = [
    bad_query("a page of none", "limit=0", "/query/limit"),
    bad_query("a page of 201", "limit=201", "/query/limit"),
    bad_query("a page of many", "limit=many", "/query/limit"),
    bad_query("a parameter that stands twice", "limit=1&limit=2", "/query/limit"),
    bad_query("an unknown parameter", "colour=blue", "/query/colour"),
    bad_query("an unknown status", "status=paid", "/query/status"),
    bad_query("a time that is none", "created_from=yesterday", "/query/created_from"),
    bad_query("a time in seconds", "created_to=1795443711", "/query/created_to"),
    bad_query("a time before all time", "created_from=0001-01-01T00:00:00%2B14:00", "/query/created_from"),
    bad_query("an unknown inbox status", "status=lost", "/query/status", "/v1/inbox"),
    Bad("a foreign cursor", 400, "unreadable", "cursor", method="GET", path="/v1/payments?cursor=xyz", headers={}),
]
IF_MATCH = [
    *(
        Bad(f"If-Match {value}", 400, "unreadable", "If-Match", None, method, path, body, headers={"If-Match": value})
        for value in ("1", 'W/"1"', "*", '"one"', '"01"', '"1", "2"', '""', '"-1"')
        for method, path, body in [("PUT", "/v1/routes/careful", ROUTE)]
    ),
    Bad("no If-Match", 428, "precondition-required", "If-Match", None, "PUT", "/v1/routes/careful", ROUTE, headers={}),
    Bad(
        "no If-Match on DELETE", 428, "precondition-required", "ETag", None, "DELETE", "/v1/routes/careful", headers={}
    ),
    *(
        Bad(
            f"a stale {method}",
            412,
            "precondition-failed",
            "version",
            None,
            method,
            path,
            body,
            headers={"If-Match": '"99"'},
        )
        for method, path, body in [
            ("PUT", "/v1/routes/careful", ROUTE),
            ("DELETE", "/v1/routes/careful", None),
            ("PUT", "/v1/connections/sandbox-c", {"enabled": True}),
            ("DELETE", "/v1/connections/sandbox-c", None),
        ]
    ),
]
CONFIGURATION = [
    Bad("a slug in capitals", 422, "invalid", "", "/name", path="/v1/routes", body={"name": "Default", **ROUTE}),
    Bad("a route that is there", 409, "conflict", "default", path="/v1/routes", body={"name": "default", **ROUTE}),
    Bad(
        "an unknown connector",
        422,
        "invalid",
        "there is no connector",
        "/connector",
        path="/v1/connections",
        body={"id": "new", "connector": "nobody", "settings": {}},
    ),
    Bad(
        "settings left out",
        422,
        "invalid",
        "",
        "/settings/api_key",
        path="/v1/connections",
        body={"id": "new", "connector": "sandbox", "settings": {}},
    ),
    Bad(
        "an event that is none",
        422,
        "invalid",
        "",
        "/events/0",
        path="/v1/subscriptions",
        body={"name": "n", "channel": "webhook", "target": {"url": "http://localhost:1/"}, "events": ["payment.eaten"]},
    ),
    Bad(
        "a target in a private network",
        422,
        "invalid",
        "",
        "/target/url",
        path="/v1/subscriptions",
        body={"name": "n", "channel": "webhook", "target": {"url": "http://10.0.0.1/"}, "events": ["*"]},
    ),
]


@pytest.mark.parametrize("bad", [*UNREADABLE, *WRONG, *HEADERS, *QUERIES, *IF_MATCH, *CONFIGURATION], ids=str)
def test_what_is_wrong_is_told(stack: Stack, bad: Bad) -> None:
    answer = stack.call(bad.method, bad.path, bad.body, data=bad.data, headers=bad.headers)
    problem = problem_of(stack, answer, bad.status, bad.slug)
    assert bad.says in problem["detail"]
    if bad.pointer is not None:
        errors = {one["pointer"]: one["detail"] for one in problem["errors"]}
        assert errors.get(bad.pointer), f"{bad.pointer} is among {errors}"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/v1/payments", {"GET", "HEAD", "OPTIONS"}),
        ("GET", "/v1/checkouts", {"POST", "OPTIONS"}),
        ("POST", "/v1/routes/default", {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}),
        ("DELETE", "/health/ready", {"GET", "HEAD", "OPTIONS"}),
        ("TRACE", "/v1/payments", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(stack: Stack, method: str, path: str, allowed: set[str]) -> None:
    answer = stack.call(method, path)
    problem_of(stack, answer, 405, "method-not-allowed")
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_several_faults_are_told_at_once(stack: Stack) -> None:
    body = order(amount=money(-1, "eur"), colour="blue")
    problem = problem_of(stack, stack.call("POST", "/v1/checkouts", body, headers=KEY), 422)
    assert {one["pointer"] for one in problem["errors"]} == {"/amount/value", "/amount/currency", "/colour"}


@pytest.mark.parametrize("changes", [{"metadata": {CARD: CARD}}, {CARD: CARD}, {"metadata": {CARD: "x" * 501}}])
def test_a_card_number_is_not_repeated(stack: Stack, changes: dict[str, Any]) -> None:
    answer = stack.call("POST", "/v1/checkouts", order(**changes), headers=KEY)
    assert "4111" not in answer.text


def test_the_limits_themselves_are_allowed(stack: Stack) -> None:
    answer = stack.checkout(
        "x" * 255,
        order_reference="x" * 64,
        amount=money(10**12),
        lines=[{"name": "b", "quantity": 1, "unit_amount": money(0)}] * 100,
        metadata={f"{number:040}"[-40:].replace("0", "k"): "v" * 500 for number in range(11, 31)},
    )
    assert answer.status_code == 201, answer.text


def test_a_timeline_takes_only_its_own_cursors(stack: Stack) -> None:
    payment = stack.checkout("timeline").json()["id"]
    for cursor in ("x", "-1", "\u00b2", "999999999", ""):
        answer = stack.call("GET", f"/v1/payments/{payment}/timeline", params={"cursor": cursor})
        assert "cursor" in problem_of(stack, answer, 400, "unreadable")["detail"]


def test_nothing_refused_was_remembered_under_its_key(stack: Stack) -> None:
    assert stack.checkout("mended", amount=money(-1)).status_code == 422
    assert stack.checkout("mended").status_code == 201
