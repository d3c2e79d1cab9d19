"""What the sandbox PSP does, one verb each: every one is a transaction, after which the courier is woken."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dev.sandbox import ledger, payments
from dev.sandbox.answers import Answer, Work, once
from dev.sandbox.clock import after_ms, now_ms
from dev.sandbox.database import Database
from dev.sandbox.disputes import dispute
from dev.sandbox.errors import Refused, invalid, not_found
from dev.sandbox.faults import DECLINES
from dev.sandbox.misbehaviour import misbehaviour_of
from dev.sandbox.options import options_of
from dev.sandbox.sessions import Json, as_answered, opened, shown
from dev.sandbox.timing import Timing

Change = Callable[[Json, str], Json]  # session and the state that the movement begins with; the movement
EVENT_OF = {"capture": "capture", "cancel": "void", "refund": "refund"}


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

    def create(
        self, account: str, key: str, path: str, body: Json, base_url: str, fault: str | None
    ) -> tuple[Answer, str | None]:
        """The answer and, for an account that sends webhooks before it answers, that webhook's event id."""
        first: list[str | None] = [None]

        def work(tx: sqlite3.Connection) -> tuple[int, Json]:
            session = opened(account, body, base_url, now_ms())
            odd = misbehaviour_of(account, session["metadata"])
            first[0] = ledger.record(tx, session, "session.created" if odd.webhook_first else None, self._timing)
            return 201, as_answered(session)

        return self._once(account, key, path, body, fault, work), first[0]

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
            if session["status"] in ledger.WAITING:
                ledger.end(tx, session, self._timing)
            return 200, shown(session)

        return self._once(account, key, path, body, None, work)

    def complete(self, account: str, session_id: str, key: str, path: str, body: Json, fault: str | None) -> Answer:
        """Takes what the shopper approved, where the account takes nothing before it is told to."""

        def work(tx: sqlite3.Connection) -> tuple[int, Json]:
            session = ledger.load(tx, account, session_id, self._timing)
            self._took(tx, session, payments.complete(session))
            return 200, shown(session)

        return self._once(account, key, path, body, fault, work)

    def move(
        self,
        account: str,
        session_id: str,
        key: str,
        path: str,
        body: Json,
        operation: str,
        fault: str | None,
        change: Change,
    ) -> Answer:
        """Changes a session by `change`, once for each key, and tells of it; answers with the movement it made."""

        def work(tx: sqlite3.Connection) -> tuple[int, Json]:
            session = ledger.load(tx, account, session_id, self._timing)
            return 201, self._moved(tx, session, operation, change)

        return self._once(account, key, path, body, fault, work)

    def move_at_psp(self, account: str, session_id: str, operation: str, change: Change) -> Json:
        """What the PSP's own staff starts; it carries no reference of the merchant's."""
        with self._transaction() as tx:
            return self._moved(tx, ledger.load(tx, account, session_id, self._timing), operation, change)

    def settle(self, account: str, session_id: str, movement_id: str, state: str) -> Json:
        if state not in payments.ENDS:
            raise invalid(f"status is one of {', '.join(payments.ENDS)}.")
        with self._transaction() as tx:
            session = ledger.load(tx, account, session_id, self._timing)
            event = payments.settle(session, movement_id, state)
            if event is None:
                raise not_found("movement")
            ledger.record(tx, session, event, self._timing)
            return shown(session)

    def lapse(self, account: str, session_id: str) -> Json:
        """What is authorized and not captured goes back to the shopper, because its time is over."""
        with self._transaction() as tx:
            session = ledger.load(tx, account, session_id, self._timing)
            void = payments.void(session, None, "succeeded", "expired")
            ledger.record(tx, session, "authorization.expired", self._timing)
            return void | {"session": session["id"]}

    def pay_late(self, account: str, session_id: str, outcome: str) -> Json:
        if outcome not in payments.LATE_OUTCOMES:
            raise invalid(f"outcome is one of {', '.join(payments.LATE_OUTCOMES)}.")
        with self._transaction() as tx:
            session = ledger.load(tx, account, session_id, self._timing)
            self._took(tx, session, payments.pay_late(session, outcome))
            return shown(session)

    def dispute(self, account: str, session_id: str, state: str, amount: Json | None) -> Json:
        with self._transaction() as tx:
            session = ledger.load(tx, account, session_id, self._timing)
            event = dispute(session, state, amount)
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
            odd = misbehaviour_of(account, session["metadata"])
            waits = odd.capture_on_return or options_of(tx, account).capture_on_return
            self._took(tx, session, payments.act(session, outcome, capture_on_return=waits))
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
            kind, subject, session = chore
            event = self._happening(tx, kind, subject, session)
            if event is not None:
                ledger.record(tx, session, event, self._timing)
        return True

    def _happening(self, tx: sqlite3.Connection, kind: str, subject: str, session: Json) -> str | None:
        """Changes the session by what was planned; the event's type, or None where the time for it has passed."""
        if kind == "dispute":
            return dispute(session, "opened", None) if session["payment"]["dispute"] is None else None
        if kind == "late_success":
            return payments.pay_late(session, "paid") if session["status"] != "complete" else None
        if kind == "authorization_expires":
            if not payments.capturable_minor(session["payment"]):
                return None
            payments.void(session, None, "succeeded", "expired")
            return "authorization.expired"
        try:
            return payments.settle(session, subject, kind)
        except Refused:  # somebody settled it by hand
            return None

    def _took(self, tx: sqlite3.Connection, session: Json, event: str) -> None:
        """Stores what became of the payment, and plans what follows from it."""
        odd = misbehaviour_of(session["account"], session["metadata"])
        if event == "session.authorized":
            life_s = self._timing.soon_s if odd.authorization_lapses else self._timing.authorization_life_s
            session["payment"]["authorization_expires_ms"] = after_ms(life_s)
            ledger.plan(tx, "authorization_expires", session["id"], session["payment"]["id"], life_s)
        then = odd.settling_of("capture").then
        if event == "session.paid" and then == "failed":
            ledger.plan(tx, then, session["id"], session["payment"]["id"], self._timing.settles_s)
        ledger.record(tx, session, event, self._timing)
        self._plan_dispute(tx, session)

    def _moved(self, tx: sqlite3.Connection, session: Json, operation: str, change: Change) -> Json:
        settling = misbehaviour_of(session["account"], session["metadata"]).settling_of(operation)
        made = change(session, settling.first)
        ledger.record(tx, session, f"{EVENT_OF[operation]}.{settling.first}", self._timing)
        if settling.then is not None:
            ledger.plan(tx, settling.then, session["id"], made["id"], self._timing.settles_s)
        self._plan_dispute(tx, session)
        return made | {"session": session["id"]}

    def _plan_dispute(self, tx: sqlite3.Connection, session: Json) -> None:
        """For an account that is asked to dispute, once money was captured; one dispute is enough."""
        payment = session["payment"]
        odd = misbehaviour_of(session["account"], session["metadata"])
        if odd.disputes and payment["amount_captured"]["value"] and payment["dispute"] is None:
            ledger.plan(tx, "dispute", session["id"], payment["id"], self._timing.dispute_s)

    def _once(self, account: str, key: str, path: str, body: Json, fault: str | None, work: Work) -> Answer:
        """A decline that was asked for is remembered, as any answer is."""

        def declining(tx: sqlite3.Connection) -> tuple[int, Json]:
            if fault is not None and fault in DECLINES:
                return 402, DECLINES[fault]().body
            return work(tx)

        with self._transaction() as tx:
            life_s = options_of(tx, account).key_life_s
            return once(tx, account, key, path, body, self._timing.key_life_s if life_s is None else life_s, declining)
