"""`python -m dev.sandbox --port 8002 --state var/sandbox --webhook-base http://localhost:8000`"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from dev.sandbox.accounts import WEBHOOK_BASE
from dev.sandbox.app import close_app, create_app

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
            "graceful_timeout": 1,
            "loglevel": "warning",
            "control_socket_disable": True,
            "worker_exit": self._worker_exit,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Runs in the worker, where the threads may start."""
        self._app = create_app(self._state_dir, webhook_base=self._webhook_base)
        return self._app

    def _worker_exit(self, server: object, worker: object) -> None:
        if self._app is not None:
            close_app(self._app)


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
