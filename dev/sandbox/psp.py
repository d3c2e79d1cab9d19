"""What the sandbox PSP does, one verb each: every one is a transaction, after which the courier is woken."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dev.sandbox import ledger, payments
from dev.sandbox.answers import Answer, Work, once
from dev.sandbox.clock import now_ms
from dev.sandbox.database import Database
from dev.sandbox.errors import Refused, invalid
from dev.sandbox.misbehaviour import misbehaviour_of
from dev.sandbox.sessions import Json, as_answered, opened, shown
from dev.sandbox.timing import Timing


class Psp:
    """`changed` is called after each transaction that may have put an event into the outbox."""

    def __init__(self, database: Database, timing: Timing, changed: Callable[[], None]) -> None:
        self._database, self._timing, self._changed = database, timing, changed

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._database.transaction() as tx:
            before = tx.total_changes
            yield tx
            wrote = tx.total_changes != before
        if wrote:
            self._changed()

    def create(self, account: str, key: str, path: str, body: Json, base_url: str) -> tuple[Answer, str | None]:
        """The answer and, for an account that sends webhooks before it answers, that webhook's event id."""
        first: list[str | None] = [None]

        def work(tx: sqlite3.Connection) -> tuple[int, Json]:
            session = opened(account, body, base_url, now_ms())
            odd = misbehaviour_of(account, session["metadata"])
            if odd.refuses is not None:
                refused = odd.refuses()
                if refused.status != 402:
                    raise refused
                return 402, refused.body
            first[0] = ledger.record(tx, session, "session.created" if odd.webhook_first else None, self._timing)
            return 201, as_answered(session)

        return self._once(account, key, path, body, work), first[0]

    def session(self, account: str, session_id: str) -> Json:
        """The session as it is stored; `shown` is what the world sees of it."""
        with self._transaction() as tx:
            return ledger.load(tx, account, session_id, self._timing)

    def sessions(self, account: str, reference: str | None) -> list[Json]:
        with self._transaction() as tx:
            return ledger.find(tx, account, reference, self._timing)

    def expire(self, account: str, session_id: str, key: str, path: str, body: Json) -> Answer:
        def work(tx: sqlite3.Connection) -> tuple[int, Json]:
            session = ledger.load(tx, account, session_id, self._timing)
            if session["status"] == "complete":
                raise Refused(409, "session_complete", "This checkout is paid already.")
            if session["status"] == "open":
                ledger.end(tx, session, self._timing)
            return 200, shown(session)

        return self._once(account, key, path, body, work)

    def move(
        self, account: str, session_id: str, key: str, path: str, body: Json, event: str, change: Callable[[Json], Json]
    ) -> Answer:
        """Changes a session by `change`, once for each key, and tells of it; answers with the movement it made."""

        def work(tx: sqlite3.Connection) -> tuple[int, Json]:
            session = ledger.load(tx, account, session_id, self._timing)
            return 201, self._moved(tx, session, event, change)

        return self._once(account, key, path, body, work)

    def refund_at_psp(self, account: str, session_id: str, amount: Json | None) -> Json:
        """A refund that the PSP's own dashboard starts; it carries no reference of the merchant's."""
        with self._transaction() as tx:
            session = ledger.load(tx, account, session_id, self._timing)
            state = misbehaviour_of(account, session["metadata"]).refund_state
            return self._moved(
                tx, session, f"refund.{state}", lambda it: payments.refund(it, amount, None, "dashboard", state)
            )

    def dispute(self, account: str, session_id: str, state: str, amount: Json | None) -> Json:
        with self._transaction() as tx:
            session = ledger.load(tx, account, session_id, self._timing)
            event = payments.dispute(session, state, amount)
            ledger.record(tx, session, event, self._timing)
            opened_one: Json = session["payment"]["dispute"]
            return opened_one

    def act(self, account: str, session_id: str, outcome: str) -> str:
        """What the shopper did on the page; where the shop wants the shopper next."""
        if outcome not in payments.OUTCOMES:
            raise invalid(f"outcome is one of {', '.join(payments.OUTCOMES)}.")
        session = self.session(account, session_id)  # an expiry that is due must stay, whatever is refused next
        with self._transaction() as tx:
            session = ledger.load(tx, account, session_id, self._timing)
            event = payments.act(session, outcome)
            ledger.record(tx, session, event, self._timing)
            self._plan_dispute(tx, session)
        return str(session["cancel_url" if outcome == "cancelled" else "return_url"])

    def do_what_is_due(self) -> None:
        """Ends old sessions, and does what the PSP planned to do by itself."""
        with self._transaction() as tx:
            ledger.expire_due(tx, self._timing)
        while self._do_one_chore():
            pass

    def _do_one_chore(self) -> bool:
        with self._transaction() as tx:
            chore = ledger.take_chore(tx)
            if chore is None:
                return False
            kind, _, subject, session = chore
            if kind == "dispute":
                if session["payment"]["dispute"] is None:
                    ledger.record(tx, session, payments.dispute(session, "opened", None), self._timing)
            else:
                payments.settle_refund(session, subject, kind)
                ledger.record(tx, session, f"refund.{kind}", self._timing)
        return True

    def _moved(self, tx: sqlite3.Connection, session: Json, event: str, change: Callable[[Json], Json]) -> Json:
        made = change(session)
        ledger.record(tx, session, event, self._timing)
        odd = misbehaviour_of(session["account"], session["metadata"])
        if event.startswith("refund.") and odd.refund_ends is not None:
            ledger.plan(tx, odd.refund_ends, session["id"], made["id"], self._timing.refund_settles_s)
        self._plan_dispute(tx, session)
        return made | {"session": session["id"]}

    def _plan_dispute(self, tx: sqlite3.Connection, session: Json) -> None:
        """For an account that is asked to dispute, once money was captured; one dispute is enough."""
        payment = session["payment"]
        odd = misbehaviour_of(session["account"], session["metadata"])
        if odd.disputes and payment["amount_captured"]["value"] and payment["dispute"] is None:
            ledger.plan(tx, "dispute", session["id"], payment["id"], self._timing.dispute_s)

    def _once(self, account: str, key: str, path: str, body: Json, work: Work) -> Answer:
        with self._transaction() as tx:
            return once(tx, account, key, path, body, self._timing.key_life_s, work)
