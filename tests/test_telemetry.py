"""What may and may not leave through logs and metrics."""

from __future__ import annotations

import ast
import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from chalicelib import telemetry
from chalicelib.domain.errors import StorageFault
from chalicelib.telemetry import metrics
from chalicelib.telemetry.masks import masked

ROOT = Path(__file__).parents[1]
Lines = Callable[[], list[dict[str, Any]]]
SECRETS = [
    "shopper@example.com",
    "Bearer abc.def",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
    "sk_live_51Habcdefgh",
    "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "whsk_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "4111 1111 1111 1111",
    "4111111111111111",
    "+31 20 1234567",
    "NL91ABNA0417164300",
    "AKIAIOSFODNN7EXAMPLE",
    "QmFzZTY0" * 8,
]


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    telemetry.configure_logging("DEBUG", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = handlers, level


log = logging.getLogger("paymentserver.test")


def test_a_line_says_when_what_and_who(lines: Lines) -> None:
    log.info("checkout opened", extra={"fields": {"payment_id": "pay_1", "duration_ms": 1.5}})
    (line,) = lines()
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "paymentserver.test",
        "message": "checkout opened",
        "payment_id": "pay_1",
        "duration_ms": 1.5,
    }


def test_bound_fields_are_on_every_line_inside_and_on_none_after(lines: Lines) -> None:
    with telemetry.bind(request_id="req_1"), telemetry.bind(payment_id="pay_1"):
        log.info("inside")
    log.info("after")
    assert [line.get("payment_id", "") + line.get("request_id", "") for line in lines()] == ["pay_1req_1", ""]


def test_what_is_noted_within_is_on_the_line_that_ends_the_request(lines: Lines) -> None:
    with telemetry.bind(request_id="req_1"):
        with telemetry.bind(operation="create_checkout"):
            telemetry.note(payment_id="pay_1")
        log.info("request")
    assert lines()[0]["payment_id"] == "pay_1"


@pytest.mark.parametrize("name", ["email", "authorization", "body", "customer", "settings", "url", "headers"])
def test_a_field_that_is_not_allowed_is_only_counted(lines: Lines, name: str) -> None:
    log.info("line", extra={"fields": {name: "shopper"}})
    assert "shopper" not in json.dumps(lines())
    assert lines()[0]["withheld"] == 1


@pytest.mark.parametrize("value", [{"email": "x"}, ["x"], b"x", object, 4111111111111111, float("nan")], ids=repr)
def test_a_value_of_no_simple_type_is_withheld(lines: Lines, value: object) -> None:
    log.info("line", extra={"fields": {"result": value}})
    assert "result" not in lines()[0]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_an_allowed_field_is_masked(lines: Lines, secret: str) -> None:
    log.info("line", extra={"fields": {"detail": f"refused for {secret} today"}})
    assert secret not in json.dumps(lines())


READABLE = ["pay_01hq3v5t8x", "req_0123456789ab", "2026-11-23T14:07:37Z", "1050", "POST /v1/checkouts"]


@pytest.mark.parametrize("kept", READABLE)
def test_our_own_ids_stay_readable(kept: str) -> None:
    assert masked(kept) == kept


def test_long_values_are_cut(lines: Lines) -> None:
    log.info("line", extra={"fields": {"code": "ab " * 1000}})
    assert len(lines()[0]["code"]) == 200


def test_an_exception_shows_its_type_and_place_but_no_value(lines: Lines) -> None:
    try:
        try:
            raise ValueError("shopper-name")
        except ValueError as error:
            raise StorageFault("the disk does not answer") from error
    except StorageFault:
        log.exception("put failed")
    ours, theirs = lines()[0]["exceptions"]
    assert (ours["type"], ours["detail"]) == ("chalicelib.domain.errors.StorageFault", "the disk does not answer")
    assert theirs["type"] == "builtins.ValueError"
    assert "test_telemetry.py" in theirs["frames"][0]
    assert "shopper-name" not in json.dumps(lines())


def test_arguments_of_foreign_messages_are_withheld(lines: Lines) -> None:
    logging.getLogger("elsewhere").info("user %s took port %s", "shopper", 8000)
    assert lines()[0]["message"] == "user %s took port %s"
    assert lines()[0]["numbers"] == [8000]


def test_a_foreign_message_that_may_be_filled_in_is_named_by_its_place(lines: Lines) -> None:
    name = "shopper"
    logging.getLogger("elsewhere").info(f"user {name}")
    assert lines()[0]["message"].startswith("see ")
    assert "shopper" not in json.dumps(lines())


def test_a_line_that_can_not_be_written_prints_nothing(capfd: pytest.CaptureFixture[str], lines: Lines) -> None:
    stream = io.StringIO()
    telemetry.configure_logging("INFO", stream)
    stream.close()
    log.info("line", extra={"fields": {"detail": "shopper"}})
    assert capfd.readouterr() == ("", "")


def test_no_line_break_gets_into_a_line(lines: Lines) -> None:
    log.info("line", extra={"fields": {"detail": "a\nb\u2028c\r"}})
    assert len(lines()) == 1


LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


USES = {"count": "counter", "observe": "histogram", "gauge": "gauge"}


def _calls_of(owner: str, methods: Collection[str]) -> Iterator[tuple[str, ast.Call]]:
    """Every call of one of `methods` on the name `owner`, and where it stands."""
    for file in [*ROOT.glob("chalicelib/**/*.py"), *ROOT.glob("server/*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                on = node.func.value
                if isinstance(on, ast.Name) and on.id == owner and node.func.attr in methods:
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def _log_calls() -> Iterator[tuple[str, ast.Call]]:
    return _calls_of("log", LEVELS)


def test_every_metric_that_is_used_is_declared_with_its_labels() -> None:
    undeclared = []
    for place, call in _calls_of("telemetry", USES):
        assert isinstance(call.args[0], ast.Constant), f"{place}: a metric's name is a constant"
        metric = telemetry.METRICS.get(str(call.args[0].value))
        labels = {one.arg for one in call.keywords} - {"amount"}
        use = USES[call.func.attr] if isinstance(call.func, ast.Attribute) else ""
        if metric is None or metric.kind != use or not labels <= set(metric.labels):
            undeclared.append(f"{place} {call.args[0].value}")
    assert undeclared == []


def test_every_message_of_ours_is_a_constant() -> None:
    filled = [
        place
        for place, call in _log_calls()
        if len(call.args) != 1 or not (isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str))
    ]
    assert filled == []


def test_every_field_that_is_logged_is_allowed() -> None:
    unknown = []
    for place, call in _log_calls():
        for node in ast.walk(call):
            if isinstance(node, ast.Dict):
                names = [key.value for key in node.keys if isinstance(key, ast.Constant)]
                unknown += [f"{place} {name}" for name in names if name not in telemetry.ALLOWED | {"fields"}]
    assert unknown == []


@pytest.mark.parametrize(
    "use",
    [
        lambda: telemetry.count("no_such_total"),
        lambda: telemetry.observe("checkouts_total", 1.0),
        lambda: telemetry.count("checkouts_total", email="x"),
    ],
    ids=["name", "kind", "label"],
)
def test_what_is_not_declared_is_refused(use: Callable[[], None]) -> None:
    with pytest.raises(telemetry.UndeclaredMetric):
        use()


def test_a_label_not_given_comes_from_what_is_bound() -> None:
    labels = {"connector": "bound", "operation": "open", "certainty": "answered"}
    with telemetry.bind(connector="bound"):
        telemetry.count("psp_calls_total", operation="open", certainty="answered")
    assert REGISTRY.get_sample_value("psp_calls_total", labels) == 1


def test_labels_without_end_fall_together() -> None:
    for number in range(metrics.SERIES_LIMIT + 50):
        telemetry.count("payments_status_total", status=f"status-{number}")
    assert len(metrics._known["payments_status_total"]) <= metrics.SERIES_LIMIT + 1
    assert (REGISTRY.get_sample_value("payments_status_total", {"status": metrics.OTHER}) or 0) >= 50


@pytest.mark.parametrize("name", telemetry.METRICS)
def test_every_metric_is_declared_in_full(name: str) -> None:
    metric = telemetry.METRICS[name]
    assert metric.help.endswith(".")
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert name.endswith("_total") == (metric.kind == "counter")


def test_without_prometheus_metrics_are_checked_and_dropped() -> None:
    program = """
import sys
sys.modules["prometheus_client"] = None
from chalicelib import telemetry
telemetry.count("checkouts_total", outcome="opened")
telemetry.observe("http_request_seconds", 0.1, operation="x")
telemetry.gauge("queue_depth", 3, queue="x")
try:
    telemetry.count("no_such_total")
except telemetry.UndeclaredMetric:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


def test_importing_telemetry_imports_no_metrics_library() -> None:
    program = "import sys, chalicelib.telemetry; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
