"""Kills PaymentServer at every point of every life, and then at random ones, again and again: what was answered is there,
nobody is charged or paid back twice, nobody is left untold.

    python -m tests.faults.kill --rounds 10000 --seed 1
"""

from __future__ import annotations

import argparse
import gc
import itertools
import random
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chalicelib.domain.fold import fold
from chalicelib.domain.operation import Called, OperationStatus, Origin
from chalicelib.domain.payment import Payment
from chalicelib.services.audit import entries_of, verify
from chalicelib.services.kinds import PAYMENT
from tests.faults.forked import Killer, in_a_fork, scratch, template, world_on
from tests.faults.lives import LIVES, PAYMENT_ID, Outside, Over
from tests.psp import sum_of
from tests.world import World

# The worker sweeps after a start: within 15 minutes, when open pages are asked about anew; but only after those does a PSP
# without keys prove that it knows nothing of an operation.
QUIET_S = {False: (0, 11, 61, 61, 61), True: (0, 11, 61, 61, 61, 301, 601, 1801, 61)}


@dataclass(frozen=True)
class Round:
    """A life, begun by processes that are killed at these points one after the other, and ended by one that is not."""

    life: str
    forgetful: bool
    points: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.life}{' (forgetful PSP)' if self.forgetful else ''}, killed at {self.points}"


def live(world: World, folder: Path, life: str) -> None:
    outside = Outside(world, folder)
    try:
        LIVES[life].live(outside)
    except Over:
        outside.note("over", 0)
        outside.wind_up()
    world.settle()


def warm(folder: Path) -> Path:
    """The template's folder, made and lived in once by this very process: what is loaded now no fork loads again."""
    template(folder / "made")
    shutil.copytree(folder / "made", folder / "warm")
    world = world_on(folder / "warm")
    live(world, folder / "warm", "accepted")
    recover_and_check(world, folder / "warm", "accepted", forgetful=False)
    for each in (world.store, world.queue):
        each.close()
    gc.freeze()
    return folder / "made"


def points_of(made: Path, folder: Path, life: str, *, forgetful: bool) -> int:
    """How many points a life has that nobody cuts short; the life must end as it should."""
    shutil.copytree(made, folder)

    def count() -> None:
        world = world_on(folder, forgetful=forgetful)
        killer = Killer(world, None)
        live(world, folder, life)
        (folder / "points").write_text(str(killer.passed))
        recover_and_check(world, folder, life, forgetful=forgetful)
        assert "over" not in Outside(world, folder).noted, f"{life} is cut short though nobody was killed"

    assert in_a_fork(count) == 0, f"{life} does not end as it should"
    points = int((folder / "points").read_text())
    shutil.rmtree(folder)
    return points


def run(made: Path, folder: Path, one: Round) -> int:
    """How many processes were killed. Raises AssertionError where something was lost, done twice or left undone."""
    shutil.copytree(made, folder)
    killed = 0
    for point in one.points:

        def doomed(point: int = point) -> None:
            world = world_on(folder, forgetful=one.forgetful)
            Killer(world, point)
            world.clock.forward(1)
            live(world, folder, one.life)

        ended = in_a_fork(doomed)
        assert ended in (0, -signal.SIGKILL), f"{one}: it failed before the kill"
        killed += ended != 0

    def left_alone() -> None:
        world = world_on(folder, forgetful=one.forgetful)
        world.clock.forward(1)
        live(world, folder, one.life)
        recover_and_check(world, folder, one.life, forgetful=one.forgetful)

    assert in_a_fork(left_alone) == 0, str(one)
    shutil.rmtree(folder)
    return killed


def recover_and_check(world: World, folder: Path, life: str, *, forgetful: bool) -> None:
    for seconds in QUIET_S[forgetful]:
        world.settle(seconds)
    outside = Outside(world, folder)
    payment: Payment = world.store.get(PAYMENT, PAYMENT_ID).value
    net = check_books(world, forgetful=forgetful)
    check_payment(world, payment)
    check_told(payment, folder)
    check_answers(outside, payment)
    check_audit(world, payment)
    if forgetful and any(one.origin is Origin.POLICY and one.called is Called.ABSENT for one in payment.operations):
        assert payment.attention, "a rule's operation never happened, and no operator is shown it"
    elif "over" not in outside.noted:
        assert payment.status is LIVES[life].ends, f"{payment.status}"
        assert net == LIVES[life].net, f"{net} stay at the PSPs"


def check_books(world: World, *, forgetful: bool) -> int:
    """The PSPs' own: nothing beyond what there was, nothing twice for one id. The minor units that stay there."""
    net = 0
    for psp in world.psps.values():
        if forgetful:
            assert len(psp.opened) == len(set(psp.opened)), "a page was opened twice"
            assert len(psp.operated) == len(set(psp.operated)), "an operation was carried out twice"
        for session in psp.sessions.values():
            payment = session["payment"]
            if payment is None:
                continue
            paid, sale = payment["amount"]["value"], payment["status"] == "captured"
            captures, voids, refunds = (sum_of(payment[kind]) for kind in ("captures", "voids", "refunds"))
            captured = paid if sale else captures
            assert refunds <= captured, "more was refunded than captured"
            assert captures + voids <= (0 if sale else paid), "more was captured and given back than authorized"
            for kind in ("captures", "voids", "refunds"):
                made = [one["reference"] for one in payment[kind] if one["reference"]]
                assert len(made) == len(set(made)), f"{kind} twice for one operation"
            net += captured - refunds
    return net


def check_payment(world: World, payment: Payment) -> None:
    """What PaymentServer says is what the PSPs have, and nothing is left in doubt."""
    folded = fold(payment)
    for attempt in payment.attempts:
        session = world.psps[attempt.connection_id].sessions.get(attempt.id)
        books = session["payment"] if session else None
        standing = folded.standings[attempt.id]
        if books is None:
            assert (standing.captured, standing.held) == (0, 0), "money that the PSP does not have"
            continue
        captured = books["amount"]["value"] if books["status"] == "captured" else sum_of(books["captures"])
        if not folded.anomalies:
            assert (standing.captured, standing.refunded) == (captured, sum_of(books["refunds"]))
            assert standing.held == world.psps[attempt.connection_id].left(attempt.id, "captures")
    in_doubt = [one for one in payment.operations if folded.operations[one.id] in IN_DOUBT]
    assert not in_doubt, f"left in doubt: {in_doubt}"
    assert not any(one.unanswered and one.live for one in folded.standings.values()), "an attempt is left in doubt"
    closed = [one for one in payment.attempts if one.closed and not folded.standings[one.id].captured]
    for attempt in closed:
        session = world.psps[attempt.connection_id].sessions.get(attempt.id)
        assert session is None or session["status"] != "open", "a page that was given up is left open"


IN_DOUBT = (OperationStatus.PENDING, OperationStatus.UNKNOWN)


def check_told(payment: Payment, folder: Path) -> None:
    told = set((folder / "told").read_text().split()) if (folder / "told").exists() else set()
    untold = {entry.id for entry in payment.journal} - told
    assert not untold, f"nobody was told of {untold}"
    assert payment.outbox == (), "an event is still on its way"


def check_answers(outside: Outside, payment: Payment) -> None:
    """Whoever repeats a call gets the answer that was given; sealed addresses are in none."""
    for name, (status, body) in outside.noted.items():
        if status in (201, 402, 502):
            assert repeated(outside.world, payment, name, body) == body, f"the answer to {name} changed"
    sealed = [one for one in payment.attempts if one.closed == "sealed"]
    for attempt in sealed:
        assert all(f"/pay/{attempt.id}" not in body for _, body in outside.noted.values()), (
            "a sealed address was released"
        )


def repeated(world: World, payment: Payment, name: str, body: str) -> str:
    """The stored answer, as a repeat would get it."""
    if name == "open":
        return payment.claim.answer_body or ""
    claims = [one.claim for one in payment.retries] + [one.claim for one in payment.operations if one.claim]
    bodies = [claim.answer_body for claim in claims if claim.answer_body == body]
    return bodies[0] or "" if bodies else ""


def check_audit(world: World, payment: Payment) -> None:
    """One entry for each resolution, in a chain that holds."""
    entries = [one for one in entries_of(world.store, "default") if one.draft.action == "resolve"]
    assert len(entries) == len(payment.resolutions), f"{len(entries)} entries of {len(payment.resolutions)} resolutions"
    assert verify(world.store, "default").problem is None
    assert payment.unaudited == ()


def every_round(made: Path, folder: Path, lives: Sequence[str]) -> list[Round]:
    """One for each point of each life, with PSPs that know keys and with ones that do not."""
    rounds = []
    for life, forgetful in itertools.product(lives, (False, True)):
        if forgetful and LIVES[life].keyed:
            continue
        points = points_of(made, folder / "counted", life, forgetful=forgetful)
        rounds += [Round(life, forgetful, (point,)) for point in range(1, points + 1)]
    return rounds


def random_round(chance: random.Random) -> Round:
    points = tuple(chance.randint(1, 60) for _ in range(chance.randint(1, 4)))
    life = chance.choice(list(LIVES))
    return Round(life, not LIVES[life].keyed and chance.random() < 0.5, points)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=10_000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--life", choices=list(LIVES), action="append")
    given = asked.parse_args()
    chance = random.Random(given.seed)
    with scratch() as folder:
        made = warm(folder)
        planned = every_round(made, folder, given.life or list(LIVES))
        print(
            f"{len(planned):,} points in {len(given.life or LIVES)} lives, with and without idempotency keys",
            flush=True,
        )
        began, done, killed = time.monotonic(), 0, 0
        while done < given.rounds:
            one = planned[done] if done < len(planned) else random_round(chance)
            killed += run(made, folder / "round", one)
            done += 1
            if done % 500 == 0 or done == given.rounds:
                seconds = time.monotonic() - began
                print(f"{done:,} rounds, {done / seconds:.0f}/s, {killed:,} kills, nothing lost", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
