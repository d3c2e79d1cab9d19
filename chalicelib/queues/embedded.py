"""A durable queue in a SQLite file of its own: the queue of a single machine."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence

from chalicelib.contracts.queue import RECEIVES_MAX, Message, Topic, checked_body, checked_delay
from chalicelib.queues.queue_file import QueueFile

DONE_WAITING_MAX = 32


class EmbeddedQueue:
    """Safe across threads, processes and forks. Nothing is opened before the first call.

    A lease is a due time in the future beside a receipt; who answers with another receipt has lost it. `done` is
    written with this process' next call, or after DONE_WAITING_MAX of them: a commit costs a sync of the disk, and a
    message whose `done` is lost in a crash only comes back, which every consumer must bear anyway.
    """

    def __init__(self, path: str, clock: Callable[[], float] = time.time) -> None:
        self._file = QueueFile(path)
        self._clock = clock
        self._done: list[tuple[int, str]] = []  # (seq, receipt); touched inside a transaction of the file alone

    def send(self, topic: Topic, body: bytes, *, delay_s: float = 0) -> None:
        self.send_all(topic, [body], delay_s=delay_s)

    def send_all(self, topic: Topic, bodies: Sequence[bytes], *, delay_s: float = 0) -> None:
        """All of them, or none."""
        now = self._now_ms()
        due = now + _ms(checked_delay(delay_s))
        if bodies:
            self._insert([(topic.value, checked_body(body), now, due, 0) for body in bodies])

    def send_again(self, message: Message, *, delay_s: float = 0) -> None:
        now = self._now_ms()
        due = now + _ms(checked_delay(delay_s))
        self._insert([(message.topic.value, message.body, now - message.age_ms, due, 1)])

    def _insert(self, rows: Sequence[tuple[str, bytes, int, int, int]]) -> None:
        with self._file.transaction() as connection:
            connection.executemany(
                "INSERT INTO messages (topic, body, sent_ms, due_ms, receives) VALUES (?, ?, ?, ?, ?)", rows
            )
            self._write_done(connection)

    def receive(self, topic: Topic, *, count: int = 10, lease_s: float = 60) -> Sequence[Message]:
        if count < 1 or lease_s <= 0:
            raise ValueError(f"count is {count} and lease_s {lease_s}; both must be positive")
        with self._file.transaction() as connection:
            now = self._now_ms()  # after the wait for the lock, so that a lease begins when it is had
            until, token = now + _ms(lease_s), secrets.token_hex(8)
            self._write_done(connection)
            due = connection.execute(
                "SELECT seq, body, receives, sent_ms FROM messages"
                " WHERE topic = ? AND dead = 0 AND due_ms <= ? ORDER BY due_ms, seq LIMIT ?",
                (topic.value, now, count),
            ).fetchall()
            exhausted = [(seq,) for seq, _, receives, _ in due if receives >= RECEIVES_MAX]
            leased = [row for row in due if row[2] < RECEIVES_MAX]
            connection.executemany("UPDATE messages SET dead = 1, receipt = NULL WHERE seq = ?", exhausted)
            connection.executemany(
                "UPDATE messages SET due_ms = ?, receipt = ?, receives = receives + 1 WHERE seq = ?",
                [(until, token, row[0]) for row in leased],
            )
        return [
            Message(str(seq), topic, body, token, receives + 1, max(now - sent_ms, 0))
            for seq, body, receives, sent_ms in leased
        ]

    def done(self, message: Message) -> None:
        with self._file.held():
            self._done.append((int(message.id), message.receipt))
            if len(self._done) < DONE_WAITING_MAX:
                return
        self._flush()

    def release(self, message: Message, *, delay_s: float = 0) -> None:
        self._move(message, due_ms=self._now_ms() + _ms(checked_delay(delay_s)), receipt=None)

    def extend(self, message: Message, *, lease_s: float) -> None:
        if lease_s <= 0:
            raise ValueError(f"lease_s is {lease_s}; it must be positive")
        self._move(message, due_ms=self._now_ms() + _ms(lease_s), receipt=message.receipt)

    def dead(self, topic: Topic, *, limit: int = 50) -> Sequence[Message]:
        now = self._now_ms()
        with self._file.transaction() as connection:
            rows = connection.execute(
                "SELECT seq, body, receives, sent_ms FROM messages WHERE topic = ? AND dead = 1 ORDER BY seq LIMIT ?",
                (topic.value, limit),
            ).fetchall()
        return [Message(str(seq), topic, body, "", receives, max(now - sent, 0)) for seq, body, receives, sent in rows]

    def dead_count(self, topic: Topic) -> int:
        with self._file.transaction() as connection:
            found = connection.execute("SELECT count(*) FROM messages WHERE topic = ? AND dead = 1", (topic.value,))
            return int(found.fetchone()[0])

    def redrive(self, topic: Topic) -> int:
        with self._file.transaction() as connection:
            return connection.execute(
                "UPDATE messages SET dead = 0, receives = 0, due_ms = ? WHERE topic = ? AND dead = 1",
                (self._now_ms(), topic.value),
            ).rowcount

    def depth(self, topic: Topic) -> tuple[int, int]:
        with self._file.transaction() as connection:
            now = self._now_ms()
            self._write_done(connection)
            waiting, oldest = connection.execute(
                "SELECT count(*), min(sent_ms) FILTER (WHERE due_ms <= ?) FROM messages WHERE topic = ? AND dead = 0",
                (now, topic.value),
            ).fetchone()
        return waiting, 0 if oldest is None else max(now - oldest, 0) // 1000

    def ready(self, topic: Topic) -> int:
        with self._file.transaction() as connection:
            self._write_done(connection)
            found = connection.execute(
                "SELECT count(*) FROM messages WHERE topic = ? AND dead = 0 AND due_ms <= ?",
                (topic.value, self._now_ms()),
            )
            return int(found.fetchone()[0])

    def close(self) -> None:
        """Writes what is done first; a message in hand comes back when its lease ends."""
        if self._done:
            self._flush()
        self._file.close()

    def _move(self, message: Message, *, due_ms: int, receipt: str | None) -> None:
        with self._file.transaction() as connection:
            connection.execute(
                "UPDATE messages SET due_ms = ?, receipt = ? WHERE seq = ? AND receipt = ?",
                (due_ms, receipt, int(message.id), message.receipt),
            )

    def _flush(self) -> None:
        with self._file.transaction() as connection:
            self._write_done(connection)

    def _write_done(self, connection: sqlite3.Connection) -> None:
        """Only inside a transaction. Those that its commit fails to keep are delivered again."""
        if self._done:
            connection.executemany("DELETE FROM messages WHERE seq = ? AND receipt = ?", self._done)
            self._done.clear()

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
