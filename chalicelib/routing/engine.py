"""A route made ready to decide: each condition becomes one function of what rules see, once for each version of the route."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib.routing.fields import OPERATORS, Inputs, Test
from chalicelib.routing.split import choose, key_of

OTHERWISE = "otherwise"
Json = Any  # a part of a stored route, which its model has checked


@dataclass(frozen=True, slots=True)
class Chain:
    """Connections in the order they are tried. `arm` is the split's, None where there was none."""

    use: tuple[str, ...]
    arm: str | None = None


@dataclass(frozen=True, slots=True)
class Winner:
    """The first rule that matches, or `otherwise`."""

    rule: str
    chain: Chain


class Outcome:
    """What a rule leads to. A split deals by a key of its own, so that one rule's arms say nothing of another's."""

    def __init__(self, merchant_id: str, route: str, rule: str, then: Mapping[str, Json]) -> None:
        split = then.get("split")
        self._chains: dict[str | None, Chain] = {None: Chain(tuple(then["use"]))} if split is None else {}
        self._weights: tuple[tuple[str, int], ...] = ()
        if split is not None:
            self._chains = {one["arm"]: Chain(tuple(one["use"]), one["arm"]) for one in split["arms"]}
            self._weights = tuple((one["arm"], one["weight"]) for one in split["arms"])
            self._by_customer = split["by"] == "customer"
            self._key = key_of(merchant_id, route, rule, split.get("salt"))

    def chain_for(self, seen: Inputs, payment_id: str) -> Chain:
        if not self._weights:
            return self._chains[None]
        unit = str(seen.get("customer.id", payment_id)) if self._by_customer else payment_id
        return self._chains[choose(self._key, unit, self._weights)]


@dataclass(frozen=True, slots=True)
class Engine:
    """One version of a route; `connection_ids` are all that it names."""

    rules: tuple[tuple[Test, str, Outcome], ...]
    otherwise: Outcome
    connection_ids: frozenset[str] = field(default_factory=frozenset)

    def decide(self, seen: Inputs, payment_id: str) -> Winner:
        for matches, name, outcome in self.rules:
            if matches(seen):
                return Winner(name, outcome.chain_for(seen, payment_id))
        return Winner(OTHERWISE, self.otherwise.chain_for(seen, payment_id))


def engine_of(merchant_id: str, name: str, document: Mapping[str, Json]) -> Engine:
    """`document` is a route as `rules.document_of` makes it; it is not checked again."""
    rules = tuple(
        (test_of(one["when"]), one["name"], Outcome(merchant_id, name, one["name"], one["then"]))
        for one in document.get("rules", ())
    )
    otherwise = Outcome(merchant_id, name, OTHERWISE, document["otherwise"])
    return Engine(rules, otherwise, frozenset(connections_in(document)))


def connections_in(document: Mapping[str, Json]) -> list[str]:
    """Every connection that a route names, in the order of the document, each once."""
    outcomes = [*(one["then"] for one in document.get("rules", ())), document["otherwise"]]
    chains = [chain for outcome in outcomes for chain in chains_of(outcome)]
    return list(dict.fromkeys(connection_id for chain in chains for connection_id in chain))


def chains_of(then: Mapping[str, Json]) -> list[list[str]]:
    """All chains that an outcome may lead to."""
    return [one["use"] for one in then["split"]["arms"]] if "split" in then else [then["use"]]


def test_of(when: Mapping[str, Json]) -> Test:
    """The function that says whether a condition holds."""
    if "field" in when:
        return OPERATORS[when["op"]].test_of(when["field"], when["value"])
    if "not" in when:
        inner = test_of(when["not"])
        return lambda seen: not inner(seen)
    return _all(when["all"]) if "all" in when else _any(when["any"])


def _all(conditions: Sequence[Mapping[str, Json]]) -> Test:
    tests = [test_of(one) for one in conditions]

    def holds(seen: Inputs) -> bool:
        for test in tests:  # noqa: SIM110  # a generator costs more than the tests
            if not test(seen):
                return False
        return True

    return holds


def _any(conditions: Sequence[Mapping[str, Json]]) -> Test:
    tests = [test_of(one) for one in conditions]

    def holds(seen: Inputs) -> bool:
        for test in tests:  # noqa: SIM110  # a generator costs more than the tests
            if test(seen):
                return True
        return False

    return holds
