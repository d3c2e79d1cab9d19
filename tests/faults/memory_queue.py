"""A queue in memory that behaves as the embedded one does, message for message; a commit of SQLite would be most of a step.

`test_machine.py` holds the two side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chalicelib.contracts.queue import RECEIVES_MAX, Message, Topic


@dataclass
class _Waiting:
    seq: int
    body: bytes
    sent_ms: int
    due_ms: int
    receives: int = 0
    receipt: str | None = None
    dead: bool = False


class MemoryQueue:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seq = 0
        self._topics: dict[Topic, dict[int, _Waiting]] = {topic: {} for topic in Topic}

    def send(self, topic: Topic, body: bytes, *, delay_s: float = 0) -> None:
        self._seq += 1
        now = self._now_ms()
        self._topics[topic][self._seq] = _Waiting(self._seq, body, now, now + round(delay_s * 1000))

    def send_all(self, topic: Topic, bodies: Sequence[bytes], *, delay_s: float = 0) -> None:
        for body in bodies:
            self.send(topic, body, delay_s=delay_s)

    def send_again(self, message: Message, *, delay_s: float = 0) -> None:
        self.send(message.topic, message.body, delay_s=delay_s)
        one = self._topics[message.topic][self._seq]
        one.sent_ms, one.receives = self._now_ms() - message.age_ms, 1

    def receive(self, topic: Topic, *, count: int = 10, lease_s: float = 60) -> Sequence[Message]:
        waiting = self._topics[topic]
        if not waiting:
            return []
        now = self._now_ms()
        due = sorted(
            (one for one in waiting.values() if not one.dead and one.due_ms <= now),
            key=lambda one: (one.due_ms, one.seq),
        )
        messages = []
        for one in due[:count]:
            if one.receives >= RECEIVES_MAX:
                one.dead, one.receipt = True, None
                continue
            self._seq += 1
            one.receives, one.due_ms, one.receipt = one.receives + 1, now + round(lease_s * 1000), f"r{self._seq}"
            messages.append(
                Message(str(one.seq), topic, one.body, one.receipt, one.receives, max(now - one.sent_ms, 0))
            )
        return messages

    def done(self, message: Message) -> None:
        if self._held(message) is not None:
            del self._topics[message.topic][int(message.id)]

    def release(self, message: Message, *, delay_s: float = 0) -> None:
        held = self._held(message)
        if held is not None:
            held.due_ms, held.receipt = self._now_ms() + round(delay_s * 1000), None

    def extend(self, message: Message, *, lease_s: float) -> None:
        held = self._held(message)
        if held is not None:
            held.due_ms = self._now_ms() + round(lease_s * 1000)

    def dead(self, topic: Topic, *, limit: int = 50) -> Sequence[Message]:
        now = self._now_ms()
        dead = [one for one in self._topics[topic].values() if one.dead][:limit]
        return [Message(str(one.seq), topic, one.body, "", one.receives, max(now - one.sent_ms, 0)) for one in dead]

    def dead_count(self, topic: Topic) -> int:
        return sum(one.dead for one in self._topics[topic].values())

    def redrive(self, topic: Topic) -> int:
        dead = [one for one in self._topics[topic].values() if one.dead]
        for one in dead:
            one.dead, one.receives, one.due_ms = False, 0, self._now_ms()
        return len(dead)

    def depth(self, topic: Topic) -> tuple[int, int]:
        now = self._now_ms()
        waiting = [one for one in self._topics[topic].values() if not one.dead]
        oldest = min((one.sent_ms for one in waiting if one.due_ms <= now), default=now)
        return len(waiting), max(now - oldest, 0) // 1000

    def ready(self, topic: Topic) -> int:
        now = self._now_ms()
        return sum(not one.dead and one.due_ms <= now for one in self._topics[topic].values())

    def next_due(self) -> float | None:
        """When the next message is due, in seconds since 1970."""
        due = [one.due_ms for waiting in self._topics.values() for one in waiting.values() if not one.dead]
        return min(due) / 1000 if due else None

    def close(self) -> None: ...

    def _held(self, message: Message) -> _Waiting | None:
        one = self._topics[message.topic].get(int(message.id))
        return one if one is not None and one.receipt == message.receipt else None

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)
