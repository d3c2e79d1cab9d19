"""A world whose route `default` splits its payments between `psp-1` (arm a) and `psp-2` (arm b), and payments for it."""

from __future__ import annotations

from itertools import count
from typing import Any

from chalicelib.domain.configuration import Route
from chalicelib.domain.ids import payment_id_of
from chalicelib.domain.payment import Payment, Status
from chalicelib.routing.engine import engine_of
from chalicelib.routing.rules import RouteChange
from chalicelib.services.audit import Actor
from chalicelib.services.configure_routes import read_route, update_route
from tests.psp import ANSWER, DECLINE
from tests.services.histories import pay
from tests.world import World

OPERATOR = Actor("operator", "studio")
GUARDRAIL = {"control": "a", "max_drop": 5}


def split(a: int = 50, b: int = 50, **more: Any) -> dict[str, Any]:
    arms = [{"arm": "a", "weight": a, "use": ["psp-1"]}, {"arm": "b", "weight": b, "use": ["psp-2"]}]
    return {"by": "payment", "arms": arms, **more}


def change_route(world: World, otherwise: dict[str, Any], **more: Any) -> int:
    """The version that the route comes to."""
    version = read_route(world.ports, "default", "default").version
    body = RouteChange.model_validate({"otherwise": otherwise, **more})
    saved = update_route(world.ports, OPERATOR, "default", "default", body, version)
    world.configuration.forget()
    return saved.route.version


def route(world: World) -> Route:
    return read_route(world.ports, "default", "default")


def weights(world: World) -> dict[str, int]:
    arms = route(world).document["otherwise"]["split"]["arms"]
    return {one["arm"]: one["weight"] for one in arms}


class Shoppers:
    """Each comes with a key that the route sends to the arm she is wanted at."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._keys = (f"shopper-{number}" for number in count())

    def come(self, arm: str, paid: int = 0, declined: int = 0, **order: Any) -> None:
        for _ in range(paid):
            pay(self._world, self.open(arm, **order))
        for _ in range(declined):
            assert self.open(arm, script=DECLINE, **order).status is Status.FAILED

    def open(self, arm: str, script: str = ANSWER, **order: Any) -> Payment:
        for psp in self._world.psps.values():
            psp.script = lambda _: script
        engine = engine_of("default", "default", route(self._world).document)
        seen = {name: order[name] for name in ("payment_method",) if order.get(name)}
        sent = (key for key in self._keys if engine.decide(seen, payment_id_of("default", key)).chain.arm == arm)
        return self._world.open(next(sent), **order).payment
