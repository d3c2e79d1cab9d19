"""Delivers the outbox: a dispatcher and a few threads, until each webhook is acknowledged or given up."""

from __future__ import annotations

import http.client
import logging
import sqlite3
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
    """Deliveries are claimed in memory alone: what a killed sandbox was delivering is sent again after the restart."""

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
            try:
                wait_s = self._hand_out()
            except sqlite3.Error:
                logging.getLogger(__name__).exception("the outbox could not be read")
                wait_s = 1.0
            self._wake.wait(wait_s)

    def _hand_out(self) -> float:
        """Gives what is due to the threads that are free; how long nothing more is due, unless something changes."""
        busy = self._in_flight.copy()
        with self._database.transaction() as tx:
            due, later_ms = outbox.next_due(tx, busy, AT_ONCE_MAX - len(busy))
        for one in due:
            self._in_flight.add(one.id)
            self._pool.submit(self._deliver, one)
        if later_ms is None or len(busy) + len(due) >= AT_ONCE_MAX:
            return LOOK_AGAIN_S
        return max((later_ms - now_ms()) / 1000, 0)

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
        """Whether the merchant answered 2xx. Address and secrets are those of now, for events of long ago too."""
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
