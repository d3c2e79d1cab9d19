"""A running sandbox: its database, its threads, and what the HTTP views need of them."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path

from flask import Flask, current_app

from dev.sandbox.accounts import Account
from dev.sandbox.courier import Courier
from dev.sandbox.database import Database
from dev.sandbox.errors import not_found
from dev.sandbox.psp import Psp
from dev.sandbox.timing import Timing

FILE = "sandbox.sqlite"
EXTENSION = "sandbox"


class Sandbox:
    """Starts with its threads running; `close` ends them, and lets go of every caller that is being held."""

    def __init__(self, state_dir: Path, accounts: Mapping[str, Account], timing: Timing) -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        self.accounts, self.timing = accounts, timing
        self.database = Database(state_dir / FILE)
        self.courier = Courier(self.database, accounts, timing)
        self.psp = Psp(self.database, timing, self.courier.wake)
        self.stopping = threading.Event()
        self._closed = False
        self._ticker = threading.Thread(target=self._tick, name="ticker", daemon=True)
        self.courier.start()
        self._ticker.start()

    def account(self, name: str) -> Account:
        if name not in self.accounts:
            raise not_found("account")
        return self.accounts[name]

    def let_go(self) -> None:
        """Ends every wait, so that no caller delays the stop; safe in a signal handler."""
        self.stopping.set()

    def close(self) -> None:
        """Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self.let_go()
        self._ticker.join()
        self.courier.close()
        self.database.close()

    def _tick(self) -> None:
        while not self.stopping.wait(self.timing.tick_s):
            try:
                self.psp.do_what_is_due()
            except sqlite3.Error:  # a full disk, say: the next tick tries again
                logging.getLogger(__name__).exception("the sandbox could not do what was due")


def sandbox() -> Sandbox:
    """The one that the running request belongs to."""
    return sandbox_in(current_app)


def sandbox_in(app: Flask) -> Sandbox:
    found: Sandbox = app.extensions[EXTENSION]
    return found
