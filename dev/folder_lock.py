"""One PaymentServer at a time in a data folder.

The launcher locks a file of the folder and all its parts inherit that, so that the lock is free when the last of them is gone,
however they ended. Until then a second start would meet parts of the first one: on its ports, and in its database.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

from dev.children import STOP_WAIT_S

FILE = "launcher.lock"
FREE_WITHIN_S = 10 + STOP_WAIT_S  # as long as parts that lost their launcher may take to stop


class FolderLock:
    """`descriptor` is what the parts inherit. The file holds the launcher's process id while it serves."""

    def __init__(self, var: Path) -> None:
        """Waits for parts that are stopping. Exits where another launcher serves from the folder."""
        var.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.descriptor = os.open(var / FILE, os.O_RDWR | os.O_CREAT, 0o600)
        ends, told = time.monotonic() + FREE_WITHIN_S, False
        while not self._taken():
            if self._is_served() or time.monotonic() > ends:
                sys.exit(f"PaymentServer runs in {var} already. Stop it, or choose another folder: PAYMENTSERVER_VAR=…")
            if not told:
                print("Waiting for the parts of the last run to stop ...", flush=True)
                told = True
            time.sleep(0.05)
        self._write(str(os.getpid()))

    def stopping(self) -> None:
        """Tells whoever starts next to wait instead of giving up."""
        self._write("")

    def _taken(self) -> bool:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _is_served(self) -> bool:
        launcher = os.pread(self.descriptor, 20, 0)
        try:
            os.kill(int(launcher), 0)
        except (ValueError, ProcessLookupError):
            return False
        return True

    def _write(self, text: str) -> None:
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, text.encode(), 0)
