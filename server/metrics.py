"""Prometheus metrics of all processes on this machine, added up and served on an internal port."""

from __future__ import annotations

import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MULTIPROC = "PROMETHEUS_MULTIPROC_DIR"
PATH = "/metrics"
_FILE = re.compile(r".*_(\d+)\.db")


def share_metrics(folder: Path) -> Path:
    """Makes this process and its children write their metrics to `folder`, unless PROMETHEUS_MULTIPROC_DIR names
    another; to be called before the first metric is counted. Files of processes that are gone are removed, so one
    folder serves one machine or container. Returns the folder used."""
    used = Path(os.environ.setdefault(MULTIPROC, str(folder)))
    used.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # `var`, which this may be the first to make
    used.mkdir(exist_ok=True)
    for file in used.glob("*.db"):
        owner = _FILE.fullmatch(file.name)
        if owner is not None and not _alive(int(owner[1])):
            file.unlink(missing_ok=True)
    return used


def forget(pid: int) -> None:
    """Drops the gauges of a child that ended; what it counted stays counted."""
    if os.environ.get(MULTIPROC):
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def exposition() -> tuple[bytes, str]:
    """The text that Prometheus scrapes, and its content type."""
    from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    if not os.environ.get(MULTIPROC):
        return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST


class MetricsServer:
    """Answers ``GET /metrics`` from a thread of its own until closed; nothing else is served."""

    def __init__(self, host: str, port: int) -> None:
        self._server = ThreadingHTTPServer((host, port), _Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve_metrics(port: int, host: str = "127.0.0.1") -> MetricsServer:
    """Starts serving; port 0 takes a free one. Raises OSError when the port is taken."""
    return MetricsServer(host, port)


class _Handler(BaseHTTPRequestHandler):
    timeout = 10
    server_version = "paymentserver"
    sys_version = ""

    def do_GET(self) -> None:
        found = self.path.partition("?")[0] == PATH
        body, content_type = exposition() if found else (b"", "text/plain")
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A scrape is not worth a line."""


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it is somebody else's
    return True
