"""gunicorn's threaded worker and its master, as the gateway needs them.

What is different: headers reach the gateway one by one, a request that does not arrive in time is cut off, what is not
HTTP is answered with a problem document, SIGINT (Ctrl-C reaches the whole process group) is as graceful as SIGTERM, and
gunicorn's own messages go through our log.
"""

from __future__ import annotations

import logging
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from chalicelib.api import problem
from server.wsgi_adapter import RECEPTION, Environ, Reception

log = logging.getLogger("paymentserver.gateway")
ARRIVE_WITHIN_S = 10.0  # for a request to the last byte of its body, and for its turn at a thread
SEND_WITHIN_S = 20.0  # what a client may take for one piece of an answer
_ANSWER_OF: dict[type[Exception], tuple[int, str]] = {
    errors.LimitRequestLine: (414, "too-large"),
    errors.LimitRequestHeaders: (431, "too-large"),
    errors.UnsupportedTransferCoding: (501, "unreadable"),
    errors.ExpectationFailed: (417, "unreadable"),
    errors.InvalidResponseHeader: (500, "internal-error"),
    errors.InvalidResponseHeaderName: (500, "internal-error"),
}


class GatewayWorker(ThreadWorker):  # type: ignore[misc]
    wsgi: Any

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._arriving: dict[Any, float] = {}  # connection -> when its request must have arrived
        self._current = threading.local()

    def init_signals(self) -> None:
        super().init_signals()
        signal.signal(signal.SIGINT, self.handle_exit)
        signal.siginterrupt(signal.SIGINT, False)

    def load_wsgi(self) -> None:
        super().load_wsgi()
        served = self.wsgi

        def with_reception(environ: Environ, start_response: Any) -> Iterable[bytes]:
            environ[RECEPTION] = self._current.reception
            return served(environ, start_response)  # type: ignore[no-any-return]

        self.wsgi = with_reception

    def enqueue_req(self, conn: Any) -> None:
        """The time to arrive runs while a connection waits for a thread too: however many stall, they are all cut off at
        once, instead of a threadful at a time. What has arrived by then is still read, and answered."""
        self._arriving[conn] = time.monotonic() + ARRIVE_WITHIN_S
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        try:
            return super().handle(conn)
        finally:
            self._arriving.pop(conn, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        conn.sock.settimeout(SEND_WITHIN_S)
        self._current.reception = Reception(req.headers, lambda: self._arriving.pop(conn, None), req.force_close)
        return super().handle_request(req, conn)

    def notify(self) -> None:
        """The main thread comes by at least once a second: the place to look for requests that do not arrive."""
        super().notify()
        now = time.monotonic()
        for conn, ends in list(self._arriving.items()):
            if now > ends:
                self._arriving.pop(conn, None)
                try:
                    conn.sock.shutdown(socket.SHUT_RD)  # the thread that reads sees the end of the stream
                except OSError:
                    pass

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """`req` is None when not even the request line could be read."""
        refused = (400, "unreadable") if isinstance(exc, errors.ParseException) else (500, "internal-error")
        status, slug = _ANSWER_OF.get(type(exc), refused)  # type: ignore[arg-type]
        request_id = "req_" + secrets.token_hex(12)
        fields = {"request_id": request_id, "http_status": status, "error": type(exc).__name__}
        if status >= 500 and slug == "internal-error":
            log.error("answer not sent", exc_info=exc, extra={"fields": fields})
        else:
            log.warning("not a request", extra={"fields": fields})
        detail = "This is not a request that PaymentServer can read." if status != 500 else "PaymentServer failed."
        body = problem.problem(slug, status, detail, public_url=self.app.public_url, instance="", request_id=request_id)
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nConnection: close\r\n"
            f"Content-Type: {problem.CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\nX-Request-Id: {request_id}\r\n"
            "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\r\n"
        )
        try:
            client.settimeout(SEND_WITHIN_S)
            client.sendall(head.encode("ascii") + body)
        except OSError:
            pass


class GatewayArbiter(Arbiter):  # type: ignore[misc]
    def signal(self, sig: int, frame: Any) -> None:
        """gunicorn takes SIGINT, and a second one while it stops, as an order to drop what is in flight."""
        super().signal(signal.SIGTERM if sig == signal.SIGINT else sig, frame)


class GatewayLog(Logger):  # type: ignore[misc]
    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
