"""The sandbox inside another program, for its tests: real HTTP on a free loopback port."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from dev.sandbox.accounts import WEBHOOK_BASE
from dev.sandbox.app import create_app
from dev.sandbox.runtime import sandbox_in
from dev.sandbox.timing import Timing


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Tests tell what matters."""


@contextmanager
def serving(state_dir: Path, *, webhook_base: str = WEBHOOK_BASE, timing: Timing | None = None) -> Iterator[str]:
    """Yields the base address, `http://127.0.0.1:<port>`; the state stays when it ends."""
    app = create_app(state_dir, webhook_base=webhook_base, timing=timing)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        sandbox_in(app).close()
        server.server_close()
