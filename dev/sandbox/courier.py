"""Delivers the outbox: a dispatcher and a few threads, until each webhook is acknowledged or given up."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from dev.sandbox import outbox
from dev.sandbox.accounts import Account
from dev.sandbox.clock import now_ms
from dev.sandbox.database import Database
from dev.sandbox.outbox import Due
from dev.sandbox.switches import switches_of
from dev.sandbox.timing import Timing

AT_ONCE_MAX = 8
LOOK_AGAIN_S = 60.0


class Courier:
    """A delivery is claimed in memory alone: what a killed sandbox was delivering is delivered again after the restart."""

    def __init__(self, database: Database, accounts: Mapping[str, Account], timing: Timing) -> None:
        self._database, self._accounts, self._timing = database, accounts, timing
        self._in_flight: set[int] = set()
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._settled = threading.Condition()
        self._pool = ThreadPoolExecutor(AT_ONCE_MAX, "webhook")
        self._dispatcher = threading.Thread(target=self._dispatch, name="courier", daemon=True)

    def start(self) -> None:
        self._dispatcher.start()

    def wake(self) -> None:
        self._wake.set()

    def close(self) -> None:
        self._stopping.set()
        self._wake.set()
        with self._settled:
            self._settled.notify_all()
        self._dispatcher.join()
        self._pool.shutdown(cancel_futures=True)

    def wait_until_delivered(self, event_id: str, timeout_s: float) -> bool:
        def delivered() -> bool:
            with self._database.transaction() as tx:
                return outbox.is_delivered(tx, event_id)

        with self._settled:
            self._settled.wait_for(lambda: self._stopping.is_set() or delivered(), timeout_s)
        return not self._stopping.is_set() and delivered()

    def _dispatch(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            busy = frozenset(self._in_flight)
            with self._database.transaction() as tx:
                due, later_ms = outbox.next_due(tx, busy, AT_ONCE_MAX - len(busy))
            for one in due:
                self._in_flight.add(one.id)
                self._pool.submit(self._deliver, one)
            full = len(busy) + len(due) >= AT_ONCE_MAX
            wait_s = LOOK_AGAIN_S if full or later_ms is None else (later_ms - now_ms()) / 1000
            self._wake.wait(max(wait_s, 0))

    def _deliver(self, due: Due) -> None:
        try:
            acknowledged = self._send(due)
            with self._database.transaction() as tx:
                outbox.settle(tx, due, acknowledged, self._timing)
        finally:
            self._in_flight.discard(due.id)
            self._wake.set()
            with self._settled:
                self._settled.notify_all()

    def _send(self, due: Due) -> bool:
        """Whether the merchant answered 2xx. It is looked up now where and how, so that a change counts for old events."""
        account = self._accounts[due.account]
        with self._database.transaction() as tx:
            switches = switches_of(tx, due.account)
        headers = {"Content-Type": "application/json", "User-Agent": "SandboxPSP/1"}
        if due.signed:
            secrets = [one for one in (account.webhook_secret, switches.second_secret) if one]
            headers["Sandbox-Signature"] = outbox.signature(due.body, secrets, int(time.time()))
        try:
            return 200 <= self._post(switches.webhook_url or account.webhook_url, due.body, headers) < 300
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        parts = urlsplit(url)
        connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = connect(parts.hostname or "", parts.port, timeout=self._timing.webhook_timeout_s)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body, dict(headers))
            return connection.getresponse().status
        finally:
            connection.close()
