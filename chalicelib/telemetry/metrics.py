"""Metrics: declared in one table, so that a name or label nobody declared is an error and no surprise on a dashboard.

`prometheus_client` keeps the numbers and is imported at the first use. Where it is not installed (the Lambda package
leaves it out, since nothing could scrape it there) the calls check their names and do nothing more. With
PROMETHEUS_MULTIPROC_DIR set, all processes that share the folder are added up; `server.metrics` sets and serves it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Literal

from chalicelib.telemetry.logs import bound

SERIES_LIMIT = 500  # combinations of label values per metric; beyond, every label is OTHER
OTHER = "other"
NONE = "none"
_LABEL_LIMIT = 80  # characters

Kind = Literal["counter", "histogram", "gauge"]
_HTTP_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 29.0)
_CALL_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)


@dataclass(frozen=True, slots=True)
class Metric:
    kind: Kind
    help: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()  # upper bounds in the metric's unit; for histograms


METRICS: dict[str, Metric] = {
    "http_requests_total": Metric("counter", "Requests answered.", ("operation", "status")),
    "http_request_seconds": Metric("histogram", "From a request's arrival to its answer.", ("operation",), _HTTP_S),
    "psp_calls_total": Metric("counter", "Calls to PSPs, by certainty.", ("connector", "operation", "certainty")),
    "psp_call_seconds": Metric("histogram", "What a call to a PSP took.", ("connector", "operation"), _CALL_S),
    "webhooks_received_total": Metric("counter", "Webhooks taken in.", ("connector", "result")),
    "webhooks_rejected_total": Metric("counter", "Webhooks that their PSP did not sign.", ("connector",)),
    "webhooks_applied_total": Metric("counter", "Webhooks applied, or kept in the inbox.", ("connector", "result")),
    "deliveries_total": Metric("counter", "Attempts to notify a subscriber.", ("channel", "result")),
    "delivery_seconds": Metric("histogram", "What an attempt to notify a subscriber took.", ("channel",), _CALL_S),
    "queue_messages_total": Metric("counter", "Messages handled.", ("queue", "result")),
    "queue_depth": Metric("gauge", "Messages waiting.", ("queue",)),
    "queue_oldest_age_seconds": Metric("gauge", "How long the oldest message waits.", ("queue",)),
    "store_calls_total": Metric("counter", "Calls to the database.", ("operation",)),
    "store_retries_total": Metric("counter", "Calls to DynamoDB that were tried again.", ("reason",)),
    "payments_status_total": Metric("counter", "Status changes of payments.", ("status",)),
    "queue_dead_letters": Metric("gauge", "Messages given up after ten tries.", ("queue",)),
    "circuit_changes_total": Metric("counter", "Circuits that opened or closed.", ("connection", "state")),
    "checkouts_total": Metric("counter", "Checkouts answered.", ("outcome",)),
    "operations_total": Metric("counter", "Captures, cancellations and refunds answered.", ("kind", "outcome")),
    "guardrail_breaches_total": Metric("counter", "A/B tests that their guardrail stopped.", ("route",)),
    "subscriptions_disabled_total": Metric(
        "counter", "Subscriptions switched off because their endpoint failed.", ("channel",)
    ),
    "retries_total": Metric("counter", "Retries answered.", ("outcome",)),
}


class UndeclaredMetric(KeyError):
    """A metric, a kind of use or a label that METRICS does not have: a mistake in the code that calls."""


def count(name: str, amount: float = 1, **labels: object) -> None:
    """Adds to a counter. A declared label that is not given is taken from `bind`, else it is ``none``."""
    series = _series(name, "counter", labels)
    if series is not None:
        series.inc(amount)


def observe(name: str, value: float, **labels: object) -> None:
    """Adds one observation to a histogram, in the unit that the metric's name ends with."""
    series = _series(name, "histogram", labels)
    if series is not None:
        series.observe(value)


def gauge(name: str, value: float, **labels: object) -> None:
    """Sets a gauge; over several processes the value set last counts."""
    series = _series(name, "gauge", labels)
    if series is not None:
        series.set(value)


_lock = threading.Lock()
_families: dict[str, Any] = {}
_labels = {name: frozenset(metric.labels) for name, metric in METRICS.items()}
_known: dict[str, dict[tuple[str, ...], Any]] = {name: {} for name in METRICS}


def _series(name: str, kind: Kind, given: dict[str, object]) -> Any:
    metric = METRICS.get(name)
    if metric is None or metric.kind != kind:
        raise UndeclaredMetric(f"no {kind} is called {name}")
    if given and not given.keys() <= _labels[name]:
        raise UndeclaredMetric(f"{name} has no label {', '.join(sorted(given.keys() - set(metric.labels)))}")
    around = bound() if len(given) < len(metric.labels) else {}
    values = tuple(str(given.get(label, around.get(label, NONE)))[:_LABEL_LIMIT] for label in metric.labels)
    try:
        return _known[name][values]
    except KeyError:
        with _lock:
            return _opened(name, metric, values)


def _opened(name: str, metric: Metric, values: tuple[str, ...]) -> Any:
    known = _known[name]
    if values not in known and len(known) >= SERIES_LIMIT:
        values = (OTHER,) * len(values)
    if values not in known:
        if name not in _families:
            _families[name] = _family(name, metric)
        family = _families[name]
        known[values] = None if family is None else family.labels(*values)
    return known[values]


def _family(name: str, metric: Metric) -> Any:
    try:
        import prometheus_client
    except ImportError:
        return None
    if metric.kind == "counter":
        return prometheus_client.Counter(name, metric.help, metric.labels)
    if metric.kind == "histogram":
        return prometheus_client.Histogram(name, metric.help, metric.labels, buckets=metric.buckets)
    return prometheus_client.Gauge(name, metric.help, metric.labels, multiprocess_mode="livemostrecent")
