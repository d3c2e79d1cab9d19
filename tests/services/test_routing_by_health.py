"""Where payments go while a PSP is down, and while it is found out whether it is back."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.contracts.calls import CheckoutOrder
from chalicelib.contracts.store import Kind
from chalicelib.domain.errors import StorageFault
from chalicelib.domain.payment import Considered, Payment
from chalicelib.services.connection_health import HealthOverride, override_health
from chalicelib.storage.memory import MemoryStore
from tests.psp import LOST, NOT_SENT, SILENT, SimulatedPsp
from tests.services.configured import ACTOR
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, psps={name: SimulatedPsp(name) for name in ("psp-1", "psp-2", "psp-3")})


def goes(world: World, how: str) -> None:
    world.psps["psp-1"].script = lambda order: how


def opened(world: World, key: str, route: str = "default") -> Payment:
    return world.open(key, route=route).payment


def tried(payment: Payment) -> list[str]:
    return [attempt.connection_id for attempt in payment.attempts]


def down(world: World, how: str = NOT_SENT) -> None:
    """psp-1 fails five payments in a row."""
    goes(world, how)
    for number in range(5):
        opened(world, f"down-{number}")


@pytest.mark.parametrize("how", [NOT_SENT, LOST, SILENT])
def test_after_five_failures_payments_go_to_the_next_psp_at_once(world: World, how: str) -> None:
    down(world, how)
    payment = opened(world, "next")
    assert payment.route.chain == ("psp-2", "psp-3", "psp-1")
    assert tried(payment) == ["psp-2"]


def test_the_trace_keeps_the_routes_order_and_says_what_was_open(world: World) -> None:
    down(world)
    assert opened(world, "next").route.candidates == (
        Considered("psp-1", None, "open"),
        Considered("psp-2"),
        Considered("psp-3"),
    )


def test_declines_do_not_open_a_circuit(world: World) -> None:
    down(world, "decline")
    assert opened(world, "next").route.chain[0] == "psp-1"


def test_an_open_psp_is_the_last_resort(world: World) -> None:
    down(world)
    goes(world, "answer")
    for name in ("psp-2", "psp-3"):
        world.psps[name].script = lambda order: NOT_SENT
    payment = opened(world, "next")
    assert tried(payment) == ["psp-2", "psp-3", "psp-1"]
    assert world.open("next").rendered.status == 201


def test_where_all_are_open_the_routes_order_stands(world: World) -> None:
    for psp in world.psps.values():
        psp.script = lambda order: NOT_SENT
    for number in range(5):
        opened(world, f"down-{number}")
    assert opened(world, "next").route.chain == ("psp-1", "psp-2", "psp-3")


def test_one_payment_finds_out_and_the_others_go_elsewhere(world: World) -> None:
    down(world)
    world.clock.forward(10)

    def script(order: CheckoutOrder) -> str:
        """A second payment comes while the first one's call is under way."""
        world.psps["psp-1"].script = lambda order: "answer"
        assert tried(opened(world, "meanwhile")) == ["psp-2"]
        return "answer"

    world.psps["psp-1"].script = script
    payment = opened(world, "probe")
    assert tried(payment) == ["psp-1"]
    assert payment.route.candidates[0] == Considered("psp-1", None, "half_open")


def test_a_probe_that_fails_costs_its_payment_one_more_hop(world: World) -> None:
    down(world)
    world.clock.forward(10)
    assert tried(opened(world, "probe")) == ["psp-1", "psp-2"]
    assert tried(opened(world, "after")) == ["psp-2"]


def test_a_circuit_that_opened_after_the_plan_counts_on_the_next_hop(world: World) -> None:
    """The chain is psp-1, psp-2, psp-3; psp-2 goes down while psp-1 is asked."""

    def script(order: CheckoutOrder) -> str:
        world.psps["psp-2"].script = lambda order: NOT_SENT
        goes(world, NOT_SENT)
        for number in range(5):
            opened(world, f"meanwhile-{number}")
        return NOT_SENT

    world.psps["psp-1"].script = script
    payment = opened(world, "first")
    assert payment.route.chain == ("psp-1", "psp-2", "psp-3")
    assert tried(payment) == ["psp-1", "psp-3"]


def test_a_retry_tries_an_open_one_last(world: World) -> None:
    payment = opened(world, "first")
    world.psps["psp-2"].script = lambda order: NOT_SENT
    goes(world, NOT_SENT)
    for number in range(5):
        opened(world, f"down-{number}")
    retried = world.retry(payment.id, "again").payment
    assert retried.retries[0].chain == ("psp-3", "psp-2")
    assert tried(retried) == ["psp-1", "psp-3"]


@pytest.mark.parametrize(("override", "chain"), [
    ("open", ("psp-2", "psp-3", "psp-1")),
    ("closed", ("psp-1", "psp-2", "psp-3")),
])  # fmt: skip
def test_an_operators_word_wins_over_the_circuit(world: World, override: str, chain: tuple[str, ...]) -> None:
    if override == "closed":
        down(world)
    body = HealthOverride.model_validate({"override": override})
    override_health(world.ports, ACTOR, "default", "psp-1", body)
    world.configuration.forget()
    payment = opened(world, "next")
    assert payment.route.chain == chain
    assert payment.route.candidates[0].health == override


class WithoutHealth(MemoryStore):
    """A database that has no table for health."""

    def put(self, kind: Kind[object], *arguments: object, **named: object) -> object:  # type: ignore[override]
        if kind.name == "health":
            raise StorageFault("no such table: health")
        return super().put(kind, *arguments, **named)  # type: ignore[arg-type]

    def find(self, kind: Kind[object], *arguments: object, **named: object) -> object:  # type: ignore[override]
        if kind.name == "health":
            raise StorageFault("no such table: health")
        return super().find(kind, *arguments, **named)  # type: ignore[arg-type]


def test_no_checkout_fails_because_health_can_not_be_stored(tmp_path: Path) -> None:
    world = World(tmp_path, WithoutHealth())
    down(world)
    assert tried(opened(world, "next")) == ["psp-2"]
