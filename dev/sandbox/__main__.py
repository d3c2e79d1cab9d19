"""`python -m dev.sandbox --port 8002 --state var/sandbox --webhook-base http://localhost:8000`"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from dev.sandbox.accounts import WEBHOOK_BASE
from dev.sandbox.app import create_app
from dev.sandbox.runtime import sandbox_in

THREADS = 32  # a caller that is never answered holds one


class Program(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """One worker on loopback: the state is one file, and the threads that deliver belong to one process."""

    def __init__(self, port: int, state_dir: Path, webhook_base: str) -> None:
        self._port, self._state_dir, self._webhook_base = port, state_dir, webhook_base
        self._app: Flask | None = None
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": f"127.0.0.1:{self._port}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": THREADS,
            "keepalive": 30,
            "graceful_timeout": 5,
            "loglevel": "warning",
            "control_socket_disable": True,
            "post_worker_init": self._worker_ready,
            "worker_exit": self._worker_exit,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Runs in the worker, where the threads may start."""
        self._app = create_app(self._state_dir, webhook_base=self._webhook_base)
        return self._app

    def _worker_ready(self, worker: object) -> None:
        """Callers that are held on purpose are let go as soon as the worker is asked to stop."""
        graceful = signal.getsignal(signal.SIGTERM)

        def stop(number: int, frame: FrameType | None) -> None:
            if self._app is not None:
                sandbox_in(self._app).let_go()
            if callable(graceful):
                graceful(number, frame)

        signal.signal(signal.SIGTERM, stop)

    def _worker_exit(self, server: object, worker: object) -> None:
        if self._app is not None:
            sandbox_in(self._app).close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dev.sandbox", description="Three sandbox PSPs on loopback.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="the folder that keeps the state")
    parser.add_argument("--webhook-base", default=WEBHOOK_BASE, help="webhooks go to .../webhooks/default/{account}")
    options = parser.parse_args()
    if os.environ.get("PAYMENTSERVER_ENV") != "development":
        print("The sandbox PSPs are for development alone: set PAYMENTSERVER_ENV=development.", file=sys.stderr)
        sys.exit(2)
    Program(options.port, options.state, options.webhook_base).run()


if __name__ == "__main__":
    main()
