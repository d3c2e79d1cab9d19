"""What operations on routes and statistics answer, by example."""

from __future__ import annotations

from typing import Any

from chalicelib.api import models_experiments as x
from chalicelib.api import models_routing as r
from chalicelib.api import models_simulation as s
from chalicelib.api import models_statistics as st
from chalicelib.domain.payment import Json

_AT = "2026-03-02T09:00:00.000000Z"
_VERSIONED = {"version": 1, "created_at": _AT, "updated_at": _AT}
_ROUTE = {"name": "default", "rules": [], "otherwise": {"use": ["sandbox-a", "sandbox-b"]}}
_DEFAULTS = {"unanswered": "next", "late": "accept"}
_FINDING = {
    "severity": "warning",
    "code": "no-fallback",
    "pointer": "/rules/0/then/use",
    "detail": "there is no fallback: where its only usable PSP declines or is down, no other is tried",
}
_DIFFERENCE = {"rule": "Dutch iDEAL", "pointer": "/then/use", "before": ["sandbox-a"], "after": ["sandbox-b"]}
_ARM_A: dict[str, Json] = {
    "arm": "a",
    "weight": 80,
    "payments": 4120,
    "authorized": 3200,
    "unpaid": 800,
    "undecided": 120,
    "authorized_share": {"value": 0.8, "low": 0.7873, "high": 0.8121},
    "captured": [{"value": 6720000, "currency": "EUR"}],
    "attempts": 4380,
    "declines": {"hard": 410, "soft": 390, "fraud": 12},
    "latency_ms": {"count": 4120, "mean": 310, "p50": 500, "p95": 1000},
    "comparison": None,
}
_COMPARED = {"difference": 0.07, "low": 0.0205, "high": 0.114, "p_value": 0.000223, "verdict": "better"}
_ARM_B: dict[str, Json] = {
    **_ARM_A,
    **{"arm": "b", "weight": 20, "payments": 1030, "authorized": 870, "unpaid": 130, "undecided": 30},
    "authorized_share": {"value": 0.87, "low": 0.8477, "high": 0.8894},
    "comparison": {**_COMPARED, "in_words": "b is better than a, by 2.1 to 11.4 points."},
}
_SINCE = {"since": _AT, "since_version": 2}
_EXPERIMENT = {"rule": "Card A/B", **_SINCE, "control": "a", "max_drop": 5, "arms": [_ARM_A, _ARM_B]}
_VERSION = {**_ROUTE, **_DEFAULTS, "version": 3, "created_at": _AT, "created_by": "admin"}
_COUNTED = {
    "from": "2026-03-02T09:00:00.000000Z",
    "to": "2026-03-02T10:00:00.000000Z",
    "connection_id": "sandbox-a",
    "currency": "EUR",
    "payments": 120,
    "authorized": 88,
    "unpaid": 12,
    "authorized_share": 0.88,
    "attempts": 131,
    "outcomes": {
        "opened": 126,
        "authorized": 88,
        "unanswered": 1,
        "not_sent": 0,
        "misconfigured": 0,
        "rate_limited": 2,
    },
    "declines": {"hard": 4, "soft": 21, "fraud": 1},
    "amounts": {"authorized": 184_800, "captured": 182_700, "refunded": 2_100, "charged_back": 0},
    "latency_ms": {"count": 126, "mean": 312, "p50": 500, "p95": 1_000},
}
_SHOWN = {**_ROUTE, **_DEFAULTS, **_VERSIONED}
ROUTING: dict[type[Any], Json] = {
    r.RouteModel: _SHOWN,
    r.RouteList: {"items": [_SHOWN], "next_cursor": None},
    r.SavedRouteModel: {**_SHOWN, "warnings": [_FINDING]},
    r.FindingsModel: {"errors": [], "warnings": [_FINDING]},
    r.RouteVersionModel: _VERSION,
    r.RouteVersionList: {"items": [_VERSION], "next_cursor": None},
    x.ExperimentsModel: {"route": "default", "version": 3, "experiments": [_EXPERIMENT]},
    r.RouteComparisonModel: {"from": 2, "to": 3, "differences": [_DIFFERENCE]},
    s.SimulationModel: s.EXAMPLE,
    st.StatisticsList: {
        "items": [_COUNTED],
        "next_cursor": None,
        "complete_until": "2026-03-02T09:41:17.000000Z",
    },
}
