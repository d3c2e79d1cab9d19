"""`make torture`: histories of the state machine, one seed each, on every core, for as long as one likes.

    SECONDS=3600 make torture          an hour
    SEED=17 make torture               one history again, step by step
    STORE=dynamodb make torture        over DynamoDB Local; `dynamodb-troubled`, `lagging`: see stores.py

Prints steps and steps per second as it goes. On a broken promise it prints what was broken and the line that repeats the
history, and ends with 1.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import random
import sys
import time
import traceback
from collections import Counter
from random import Random
from typing import Any

from chalicelib.domain.fold import Folded, fold
from chalicelib.domain.payment import Payment
from tests.conformance.dynamodb import endpoint_of
from tests.faults.machine import Machine, Overheard
from tests.faults.outside import decide
from tests.faults.rules import anything
from tests.faults.stores import STORES
from tests.faults.trouble import ValueStore
from tests.servers.dynamodb_local import dynamodb_local

STEPS = 120
COLLECT_EVERY = 50  # histories
FOLDS_KEPT = 500
REST_S, LONG_REST_S = 8 * 86_400, 45 * 86_400
SEEN_TO, DECISIONS_MAX = 0.3, 40  # of the histories


def history(seed: int, steps: int = STEPS, *, store: Any = None, aloud: bool = False) -> Counter[str]:
    """One history and its rest; what happened, by rule. Raises what went wrong."""
    random.seed(seed)  # the services' own jitter
    chance, machine, done = Random(seed), Machine(store or ValueStore()), Counter[str]()
    machine.chance = chance
    machine.meanwhile = lambda: anything(machine, chance)
    overheard = Overheard(machine.promises.wrongs)
    logging.getLogger("paymentserver").addHandler(overheard)
    try:
        for number in range(steps):
            name = anything(machine, chance)
            done[name] += 1
            if aloud:
                print(number, name, [f"{one.id[-4:]} {one.status}" for one in machine.store.payments.values()])
            machine.promises.check()
        machine.at_rest(LONG_REST_S if chance.random() < 0.1 else REST_S)
        if chance.random() < SEEN_TO:
            _see_to_all(machine, chance)
        machine.promises.at_rest()
    finally:
        logging.getLogger("paymentserver").removeHandler(overheard)
    done["kill"] = machine.kills
    return done


def _see_to_all(machine: Machine, chance: Random) -> None:
    """Operators decide whatever waits for them, so that nothing is excused for being shown to one."""
    waiting: list[Payment] = []
    for _ in range(DECISIONS_MAX):
        machine.forward(1)
        machine.at_rest(LONG_REST_S)
        waiting = [one for one in machine.store.payments.values() if one.attention]
        if not any(decide(machine, chance, one) for one in waiting):
            break
    assert not waiting, f"no operator's word settles {[one.id for one in waiting]}"


def _fold_each_payment_once() -> None:
    """The fold is a third of a step, and a payment is frozen: every module that folds one again is told what came out."""
    known: dict[int, tuple[Payment, Folded]] = {}

    def folded_once(payment: Payment) -> Folded:
        found = known.get(id(payment))
        if found is None or found[0] is not payment:
            if len(known) > FOLDS_KEPT:
                known.clear()
            found = known[id(payment)] = payment, fold(payment)
        return found[1]

    for module in list(sys.modules.values()):
        if getattr(module, "fold", None) is fold and module is not sys.modules[__name__]:
            setattr(module, "fold", folded_once)  # noqa: B010


def _worker(first: int, stride: int, seconds: float, over: str, results: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    logging.getLogger("paymentserver").propagate = False
    _fold_each_payment_once()
    gc.disable()  # a tenth of a step; what is in cycles is collected now and then
    ends, seed = time.monotonic() + seconds, first
    while time.monotonic() < ends:
        try:
            with STORES[over](seed) as store:
                done = history(seed, store=store)
        except BaseException:
            results.put((seed, None, traceback.format_exc(limit=-4)))
        else:
            results.put((seed, done, ""))
        seed += stride
        if seed // stride % COLLECT_EVERY == 0:
            gc.collect()
    results.put((-1, None, ""))


def torture(seconds: float, first: int, cores: int, over: str) -> int:
    results: multiprocessing.Queue = multiprocessing.Queue()  # type: ignore[type-arg]
    workers = [
        multiprocessing.Process(target=_worker, args=(first + number, cores, seconds, over, results), daemon=True)
        for number in range(cores)
    ]
    for worker in workers:
        worker.start()
    began = told = time.monotonic()
    total, histories, broken, running = Counter[str](), 0, 0, cores
    while running:
        seed, done, wrong = results.get()
        if seed < 0:
            running -= 1
        elif done is None:
            broken += 1
            print(f"\nBROKEN by seed {seed}\n{wrong}\nRepeat it: SEED={seed} STORE={over} make torture", flush=True)
        else:
            histories += 1
            total += done
        if time.monotonic() - told > 5 or not running:
            told = time.monotonic()
            steps, took = total.total() - total["kill"], told - began
            print(
                f"seeds from {first}: {histories} histories, {steps} steps, {steps / took:.0f} steps/s, {total['kill']} kills",
                flush=True,
            )
    print(", ".join(f"{name} {count}" for name, count in total.most_common()))
    return 1 if broken else 0


def main() -> int:
    logging.getLogger("paymentserver").propagate = False
    over = os.environ.get("STORE") or "values"
    if over.startswith("dynamodb"):
        endpoint_of(dynamodb_local)  # one for all workers, which are forked from here
    if "SEED" in os.environ:
        seed = int(os.environ["SEED"])
        with STORES[over](seed) as store:
            history(seed, store=store, aloud=True)
        print("No promise was broken.")
        return 0
    first = int(os.environ.get("FIRST", time.time_ns() // 1_000_000 % 10**9 * 1000))
    cores = int(os.environ.get("CORES", os.cpu_count() or 1))
    return torture(float(os.environ.get("SECONDS", "60")), first, cores, over)


if __name__ == "__main__":
    sys.exit(main())
