"""Runs the gateway under gunicorn: ``python -m server.serve --port 8000``.

The master imports the app once and then forks the workers, which share its pages: measured with two workers and the
libraries of a server, 71 MB instead of 127 MB. That is safe because importing opens nothing and starts no thread; each
worker makes its own databases and connections at its first request.

The first SIGTERM or SIGINT stops the server: requests in flight are finished within STOP_WITHIN_S, further signals
change nothing.
"""

from __future__ import annotations

import argparse
import gc
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from gunicorn.app.base import BaseApplication

from chalicelib import telemetry
from chalicelib.api.envelope import BODY_LIMIT_BYTES
from chalicelib.settings import Settings
from server.gateway import WSGIApplication, gateway
from server.gunicorn_worker import GatewayArbiter, GatewayLog, GatewayWorker
from server.health_keeper import keep_health, stop_keeping
from server.metrics import forget, share_metrics

STOP_WITHIN_S = 25
KEEP_ALIVE_S = 20
LINE_LIMIT_BYTES = 8_190  # gunicorn takes no more; the longest query of a webhook fits
HEADERS_LIMIT = 64
HEADER_LIMIT_BYTES = 8_190


@dataclass(frozen=True, slots=True)
class Serving:
    """Where and how to serve. Port 0 takes a free one; `app` is ``module:attribute``."""

    public_url: str
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 2
    threads: int = 8
    trusted_proxies: int = 0
    body_limit_bytes: int = BODY_LIMIT_BYTES
    app: str = "app:app"


class GatewayServer(BaseApplication):  # type: ignore[misc]
    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.public_url = serving.public_url.rstrip("/")
        super().__init__()

    def load_config(self) -> None:
        for name, value in _configuration_of(self.serving).items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        """Called once, in the master."""
        module, _, attribute = self.serving.app.partition(":")
        return gateway(
            getattr(import_module(module), attribute),
            public_url=self.public_url,
            body_limit_bytes=self.serving.body_limit_bytes,
            trusted_proxies=self.serving.trusted_proxies,
        )

    def run(self) -> None:
        """Returns never: gunicorn ends the process, with 0 after a graceful stop."""
        GatewayArbiter(self).run()


def _configuration_of(serving: Serving) -> dict[str, Any]:
    return {
        "bind": f"{serving.host}:{serving.port}",  # gunicorn sets SO_REUSEADDR
        "workers": serving.workers,
        "threads": serving.threads,
        "worker_class": GatewayWorker,
        "logger_class": GatewayLog,
        "preload_app": True,
        "keepalive": KEEP_ALIVE_S,
        "graceful_timeout": STOP_WITHIN_S,
        "timeout": 30,  # a worker whose main thread hangs; single requests are timed by GatewayWorker
        "limit_request_line": LINE_LIMIT_BYTES,
        "limit_request_fields": HEADERS_LIMIT,
        "limit_request_field_size": HEADER_LIMIT_BYTES,
        # Whom to believe about forwarding is decided in the gateway alone.
        "forwarded_allow_ips": "",
        "secure_scheme_headers": {},
        "forwarder_headers": "",
        "control_socket_disable": True,
        "when_ready": _ready_to_fork,
        "child_exit": _forgotten,
        "worker_exit": lambda server, worker: stop_keeping(),
        "proc_name": "paymentserver",
    }


def _ready_to_fork(server: Any) -> None:
    """A thread's locks would stay locked for ever in the children."""
    assert threading.active_count() == 1, "importing the app has started a thread"
    gc.freeze()  # what is shared stays shared: the collector writes to every object it visits


def _forgotten(server: Any, worker: Any) -> None:
    forget(worker.pid)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m server.serve", description="Serves the API and webhooks.")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")), help="the port to listen on")
    options = parser.parse_args(arguments)
    settings = Settings()
    share_metrics(settings.var / "metrics")
    telemetry.configure_logging(settings.log_level)
    keep_health()
    serving = Serving(
        public_url=settings.public_url,
        host=options.host,
        port=options.port,
        workers=settings.workers,
        threads=settings.threads,
        trusted_proxies=settings.trusted_proxies,
    )
    GatewayServer(serving).run()


if __name__ == "__main__":
    main()
