"""`python -m dev.identity --port 8001 --issuer http://localhost:8001 --state var/identity`"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from dev.identity.app import create_app
from dev.identity.key_file import KeyFile


class Program(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """One worker on loopback: authorization codes are in its memory."""

    def __init__(self, port: int, app: Flask) -> None:
        self._port, self._app = port, app
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": f"127.0.0.1:{self._port}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": 8,
            "keepalive": 30,
            "graceful_timeout": 1,
            "loglevel": "warning",
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m dev.identity", description="The development identity server.")
    parser.add_argument("--state", type=Path, required=True, help="the folder that keeps the signing keys")
    parser.add_argument("--port", type=int, default=8001, help="the port to listen on, at 127.0.0.1")
    parser.add_argument("--issuer", help="the issuer's URL; http://localhost:<port> by default")
    parser.add_argument("--audience", default=os.environ.get("PAYMENTSERVER_AUDIENCE", "paymentserver"))
    parser.add_argument("--rotate", action="store_true", help="add a signing key, also to a running server, and end")
    options = parser.parse_args(arguments)
    if os.environ.get("PAYMENTSERVER_ENV") != "development":
        # Its passwords are in the documentation: whoever reaches it is everybody.
        print("The identity server is for development alone: set PAYMENTSERVER_ENV=development.", file=sys.stderr)
        sys.exit(2)
    if options.rotate:
        print(KeyFile(options.state).rotate())
        return
    try:
        app = create_app(options.issuer or f"http://localhost:{options.port}", options.state, options.audience)
    except ValueError as error:
        parser.error(str(error))
    Program(options.port, app).run()


if __name__ == "__main__":
    main()
