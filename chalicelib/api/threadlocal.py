"""Chalice for many threads.

Chalice keeps the request that is being served on the app object. That is right in Lambda, where a process serves one
request at a time, and wrong under a threaded server, where one caller would be served with another's token and body.
"""

from __future__ import annotations

import threading
from collections.abc import MutableMapping
from typing import Any

from chalice.app import Chalice, Request


class ThreadSafeChalice(Chalice):
    """A Chalice app whose `current_request` and `lambda_context` belong to the thread that reads them.

    Chalice's own log handler is left out by default, for it prints exceptions with their values; the process's logging
    is configured once, by `telemetry.configure_logging`.
    """

    def __init__(
        self,
        app_name: str,
        debug: bool = False,
        configure_logs: bool = False,
        env: MutableMapping[str, str] | None = None,
    ) -> None:
        self._local = threading.local()
        super().__init__(app_name, debug=debug, configure_logs=configure_logs, env=env)

    @property
    def current_request(self) -> Request | None:
        return getattr(self._local, "current_request", None)

    @current_request.setter
    def current_request(self, request: Request | None) -> None:
        self._local.current_request = request

    @property
    def lambda_context(self) -> Any:
        return getattr(self._local, "lambda_context", None)

    @lambda_context.setter
    def lambda_context(self, context: Any) -> None:
        self._local.lambda_context = context
