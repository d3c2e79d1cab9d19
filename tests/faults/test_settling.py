"""How soon doubt ends: a PSP falls silent in the middle of calls, stays away for a while, and comes back.

The clock is simulated, the services and their schedules are the real ones. What a PSP can be asked about is settled, nearly
always within five minutes of its return, or of the time from which its silence proves something: a PSP that remembers no keys
can not be called again, and that it knows nothing is no proof before 15 minutes have passed since the call. What it can not be
asked about ends with its page's time, and is shown to an operator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from chalicelib.domain.fold import fold
from chalicelib.domain.operation import OperationKind, OperationStatus
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Payment, Status
from chalicelib.services.ask import ABSENT_AFTER_S
from tests.psp import ANSWER, LOST, SILENT
from tests.world import World

STEP_S = 20
OUTAGES = {"away for hours": 2 * 3600, "away for a few minutes": 600}  # at most
SOON_S = 300
WATCHED_S = 3600  # the schedule's longest wait in the first hour is 30 minutes
ASKABLE = {
    "names what it did and remembers keys": {},
    "remembers keys alone": {"looks_up_references": False},
    "can be looked up, but remembers no keys": {"key_lives_s": {}},
}


@dataclass
class Doubt:
    """One payment in doubt since `called_at`, and how long after it could be settled it was."""

    payment_id: str
    called_at: datetime
    settled_after_s: int | None = None


def in_doubt(payment: Payment) -> bool:
    folded = fold(payment)
    unsure = (OperationStatus.UNKNOWN,)
    return folded.status is Status.UNKNOWN or any(status in unsure for status in folded.operations.values())


def doubted(world: World, number: int, chance: Random) -> Doubt:
    """A checkout, a capture, a refund or a cancellation that got no answer; the PSP had done it or had not."""
    key, psp = f"order-{number}", world.psps["psp-1"]
    what = chance.choice(["open", "capture", "refund", "cancel"])
    said = chance.choice([SILENT, LOST])
    if what == "open":
        psp.script = lambda order: said
        payment = world.open(key, route="careful").payment
        psp.script = lambda order: ANSWER
        return Doubt(payment.id, world.clock.at)
    mode = CaptureMode.AUTOMATIC if what == "refund" else CaptureMode.MANUAL
    payment = world.open(key, route="careful", capture=mode).payment
    attempt_id = payment.attempts[0].id
    psp.pay(attempt_id)
    world.webhook("psp-1", attempt_id)
    world.settle()
    psp.plan = lambda kind, order: said
    kinds = {"capture": OperationKind.CAPTURE, "refund": OperationKind.REFUND, "cancel": OperationKind.CANCELLATION}
    world.do(kinds[what], payment.id, f"{key}-op")
    psp.plan = lambda kind, order: ANSWER
    return Doubt(payment.id, world.clock.at)


def outages(world: World, chance: Random, count: int, away_max_s: int) -> Iterator[list[Doubt]]:
    """Three payments come into doubt in each outage."""
    for number in range(count):
        doubts = [doubted(world, 3 * number + more, chance) for more in range(3)]
        world.psps["psp-1"].can_read = False
        world.psps["psp-1"].plan = lambda kind, order: LOST
        away_s = chance.randrange(away_max_s)
        for _ in range(away_s // STEP_S):
            world.settle(STEP_S)
        world.psps["psp-1"].can_read = True
        world.psps["psp-1"].plan = lambda kind, order: ANSWER
        yield doubts


def seconds_since(world: World, at: datetime) -> int:
    return max(0, int((world.clock.at - at).total_seconds()))


@pytest.mark.parametrize("count", [6, pytest.param(100, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
@pytest.mark.parametrize("away", OUTAGES)
@pytest.mark.parametrize("psp", ASKABLE)
def test_doubt_ends_soon_after_the_psp_is_back(tmp_path: Path, psp: str, away: str, count: int) -> None:
    world, chance = World(tmp_path), Random(psp)
    world.offer("psp-1", **ASKABLE[psp])
    keys = world.configuration.connection("default", "psp-1").connector.capabilities.key_lives_s
    world.route("careful", otherwise={"use": ["psp-1"]})
    silence_proves_after = timedelta(seconds=0 if keys else ABSENT_AFTER_S)
    told: list[Doubt] = []
    for doubts in outages(world, chance, count, OUTAGES[away]):
        assert any(in_doubt(world.payment(one.payment_id)) for one in doubts), "nothing ended the doubt meanwhile"
        back_at = world.clock.at
        for _ in range(WATCHED_S // STEP_S):
            for one in doubts:
                if one.settled_after_s is None and not in_doubt(world.payment(one.payment_id)):
                    one.settled_after_s = seconds_since(world, max(back_at, one.called_at + silence_proves_after))
            if all(one.settled_after_s is not None for one in doubts):
                break
            world.settle(STEP_S)
        told += doubts
    settled = [one.settled_after_s for one in told]
    soon = sum(after_s is not None and after_s <= SOON_S for after_s in settled)
    last_s = max(one or 0 for one in settled)
    print(f"{psp}, {away}: {len(told)} in doubt, {soon} settled within {SOON_S} s, the last after {last_s} s")
    assert None not in settled
    assert soon >= 0.95 * len(told)


def test_what_a_psp_can_not_be_asked_about_expires_and_is_shown_to_an_operator(tmp_path: Path) -> None:
    world, chance = World(tmp_path), Random(1)
    world.offer("psp-1", looks_up_references=False, key_lives_s={})
    world.route("careful", otherwise={"use": ["psp-1"]})
    world.psps["psp-1"].script = lambda order: chance.choice([SILENT, LOST])
    opened = [world.open(f"order-{number}", route="careful").payment for number in range(20)]
    assert all(in_doubt(world.payment(one.id)) for one in opened)
    for _ in range(40):
        world.settle(60)
    ended = [world.payment(one.id) for one in opened]
    assert {(fold(one).status, one.attention) for one in ended} == {(Status.EXPIRED, True)}
