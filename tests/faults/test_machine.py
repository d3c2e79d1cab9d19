"""The state machine: whatever happens to shoppers, shops, PSPs, databases and processes, in any order, the six promises hold.

`rules.py` is the table of what can happen, `promises.py` what must hold after every step and once everything is at rest.
`make torture` runs the same table for as long as one likes. Repeat a failure here with ``--hypothesis-seed``.
"""

from __future__ import annotations

import logging
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from chalicelib.contracts.queue import Topic
from chalicelib.queues.embedded import EmbeddedQueue
from tests.faults.machine import Machine, Overheard
from tests.faults.memory_queue import MemoryQueue
from tests.faults.rules import RULES, Rule, happen
from tests.faults.torture import REST_S, STEPS, history

chances = st.randoms(use_true_random=False)


class Payments(RuleBasedStateMachine):
    """One method for each rule of the table; hypothesis chooses, and shrinks what it finds to a short story."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Machine()
        self.overheard = Overheard(self.machine.promises.wrongs)
        logging.getLogger("paymentserver").addHandler(self.overheard)

    def teardown(self) -> None:
        logging.getLogger("paymentserver").removeHandler(self.overheard)
        self.machine.at_rest(REST_S)
        self.machine.promises.at_rest()


def _method_of(one: Rule) -> Any:
    def method(self: Payments, chance: Random) -> None:
        happen(self.machine, one, chance)

    method.__name__ = one.__name__
    return rule(chance=chances)(method)


for _rule in RULES:
    setattr(Payments, _rule.__name__, _method_of(_rule))

TestPayments = Payments.TestCase
TestPayments.settings = settings(
    max_examples=25,
    stateful_step_count=60,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("seed", range(20))
def test_a_history_of_chance_keeps_every_promise(seed: int) -> None:
    done = history(seed)
    assert done.total() - done["kill"] == STEPS


@pytest.mark.parametrize("seed", range(20))
def test_the_queue_in_memory_behaves_as_the_embedded_one(tmp_path: Path, seed: int) -> None:
    chance, now = Random(seed), [1_800_000_000.0]
    queues = (MemoryQueue(lambda: now[0]), EmbeddedQueue(str(tmp_path / "queue.db"), lambda: now[0]))
    held: list[tuple[Any, Any]] = []
    for number in range(120):
        topic, act = (
            chance.choice(tuple(Topic)),
            chance.choice(("send", "receive", "receive", "done", "release", "again", "wait")),
        )
        if act == "send":
            delay_s = chance.choice((0, 0, 5))
            for queue in queues:
                queue.send(topic, b"%d" % number, delay_s=delay_s)
        elif act == "receive":
            count = chance.randint(1, 3)
            got = [queue.receive(topic, count=count, lease_s=10) for queue in queues]
            shown = [[(one.body, one.receives, one.age_ms) for one in each] for each in got]
            assert shown[0] == shown[1]
            held += zip(*got, strict=True)
        elif act == "wait":
            now[0] += chance.choice((1, 5, 11))
        elif held:
            pair = held.pop(chance.randrange(len(held)))
            for queue, message in zip(queues, pair, strict=True):
                if act == "again":
                    queue.send_again(message, delay_s=1)
                queue.release(message, delay_s=1) if act == "release" else queue.done(message)
        assert queues[0].depth(topic) == queues[1].depth(topic)
        assert queues[0].ready(topic) == queues[1].ready(topic)
        assert queues[0].dead_count(topic) == queues[1].dead_count(topic)
        assert [one.body for one in queues[0].dead(topic)] == [one.body for one in queues[1].dead(topic)]
    queues[1].close()
