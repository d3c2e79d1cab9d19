"""A/B tests as a route's document has them: which there are, whether two versions deal the same way, and how one ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from chalicelib.routing.engine import OTHERWISE

Json = Any


@dataclass(frozen=True, slots=True)
class Experiment:
    """A rule's split. `weights` are by arm, in the order of the document; `control` is what the others are compared with,
    the guardrail's or else the first. `max_drop_points` is None where there is no guardrail."""

    rule: str
    weights: Mapping[str, int]
    control: str
    max_drop_points: int | None

    @property
    def others(self) -> list[str]:
        return [arm for arm in self.weights if arm != self.control]


def experiments_of(document: Mapping[str, Json]) -> list[Experiment]:
    """In the order of the rules; `otherwise` comes last."""
    return [_experiment(rule, split) for rule, split in _splits(document)]


def is_dealt_alike(rule: str, document: Mapping[str, Json], earlier: Mapping[str, Json]) -> bool:
    """Whether the rule's split sends the same payments the same ways in both, so that its results may be added up. A
    guardrail that changed moves nobody."""
    return bool(_dealt(dict(_splits(document)).get(rule)) == _dealt(dict(_splits(earlier)).get(rule)))


def given_all(document: Mapping[str, Json], rule: str, arm: str) -> dict[str, Json]:
    """The document with all weight of the rule's split on one arm."""
    changed = deepcopy(dict(document))
    arms = dict(_splits(changed))[rule]["arms"]
    total = sum(one["weight"] for one in arms)
    for one in arms:
        one["weight"] = total if one["arm"] == arm else 0
    return changed


def _splits(document: Mapping[str, Json]) -> Iterator[tuple[str, dict[str, Json]]]:
    outcomes = [(rule["name"], rule["then"]) for rule in document.get("rules", ())]
    for name, outcome in [*outcomes, (OTHERWISE, document["otherwise"])]:
        if "split" in outcome:
            yield name, outcome["split"]


def _experiment(rule: str, split: Mapping[str, Json]) -> Experiment:
    weights = {one["arm"]: one["weight"] for one in split["arms"]}
    guardrail = split.get("guardrail")
    if guardrail is None:
        return Experiment(rule, weights, next(iter(weights)), None)
    return Experiment(rule, weights, guardrail["control"], guardrail["max_drop"])


def _dealt(split: Mapping[str, Json] | None) -> Json:
    """What decides who goes where: arms in another order are the same arms."""
    if split is None:
        return None
    arms = {one["arm"]: (one["weight"], one["use"]) for one in split["arms"]}
    return split["by"], split.get("salt"), arms
