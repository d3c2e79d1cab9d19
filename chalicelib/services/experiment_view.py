"""The results of an A/B test as the API and events show them: plain JSON values, and a sentence for people."""

from __future__ import annotations

from dataclasses import asdict

from chalicelib.domain.payment import Json
from chalicelib.domain.view import money_view, text_of
from chalicelib.routing.interval import wilson
from chalicelib.routing.sequential import Comparison, Verdict
from chalicelib.services.experiments import ArmResult, Result, Results

DECIMALS = 4  # of a share: a hundredth of a point


def results_view(results: Results) -> dict[str, Json]:
    return {
        "route": results.route,
        "version": results.version,
        "experiments": [result_view(one) for one in results.results],
    }


def result_view(result: Result) -> dict[str, Json]:
    running, experiment = result.running, result.running.experiment
    return {
        "rule": experiment.rule,
        "since": text_of(running.since),
        "since_version": running.first,
        "control": experiment.control,
        "max_drop": experiment.max_drop_points,
        "arms": [_arm_view(one, experiment.control) for one in result.arms],
    }


def _arm_view(result: ArmResult, control: str) -> dict[str, Json]:
    interval, latency = wilson(result.tally), result.latency
    return {
        "arm": result.arm,
        "weight": result.weight,
        "payments": result.payments,
        "authorized": result.tally.successes,
        "unpaid": result.tally.trials - result.tally.successes,
        "undecided": result.undecided,
        "authorized_share": {
            "value": _rounded(result.tally.share),
            "low": _rounded(interval.low),
            "high": _rounded(interval.high),
        },
        "captured": [money_view(money) for money in result.captured],
        "attempts": result.attempts,
        "declines": dict(result.declines),
        "latency_ms": asdict(latency),
        "comparison": None if result.comparison is None else _comparison_view(result.comparison, result.arm, control),
    }


def _comparison_view(comparison: Comparison, arm: str, control: str) -> dict[str, Json]:
    return {
        "difference": _rounded(comparison.difference),
        "low": _rounded(comparison.low),
        "high": _rounded(comparison.high),
        "p_value": round(comparison.p_value, 6),
        "verdict": comparison.verdict,
        "in_words": words_of(comparison, arm, control),
    }


def words_of(comparison: Comparison, arm: str, control: str) -> str:
    low, high = comparison.low, comparison.high
    if comparison.difference is None:
        return f"Nothing can be said yet: of {arm} or {control} no payment has come to its end."
    if comparison.verdict is Verdict.BETTER:
        return f"{arm} is better than {control}, by {_points(low)} to {_points(high)} points."
    if comparison.verdict is Verdict.WORSE:
        return f"{arm} is worse than {control}, by {_points(-high)} to {_points(-low)} points."
    return (
        f"Nothing is certain yet: {arm} may be anything from {_points(max(-low, 0))} points worse than {control} "
        f"to {_points(max(high, 0))} points better."
    )


def _points(share: float) -> str:
    return f"{share * 100:.1f}"


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, DECIMALS)
