"""A wire between a publisher and a broker that a test can count, cut, mend and silence; with TLS on the publisher's side
where it is given a context."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

from tests.ports import free_port


class Wire:
    """Listens on a port of loopback, and passes bytes on to `server` as they are."""

    def __init__(self, server: tuple[str, int], tls: ssl.SSLContext | None = None) -> None:
        self._server, self._tls = server, tls
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._audible = threading.Event()
        self._audible.set()
        self._listener: socket.socket | None = None
        self.opened = 0
        self.port = free_port()
        self.mend()

    def mend(self) -> None:
        """Lets connections through again, at the same port."""
        listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Ends every connection; new ones are refused until it is mended."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.drop()

    def drop(self) -> None:
        """Ends every connection; new ones are let through."""
        with self._lock:
            open_now = list(self._sockets)
        for one in open_now:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    @property
    def open_now(self) -> int:
        """Connections that are open now; each is two sockets."""
        with self._lock:
            return len(self._sockets) // 2

    @contextlib.contextmanager
    def silenced(self) -> Iterator[None]:
        """What the server says is held back: it takes everything and answers nothing, as far as publishers can see."""
        self._audible.clear()
        try:
            yield
        finally:
            self.cut()
            self._audible.set()
            self.mend()

    def close(self) -> None:
        self._audible.set()
        self.cut()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            self.opened += 1
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        far: socket.socket | None = None
        try:
            if self._tls is not None:
                near.settimeout(5)
                near = self._tls.wrap_socket(near, server_side=True)
                near.settimeout(None)
            far = socket.create_connection(self._server, timeout=5)
            far.settimeout(None)
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # an untrusting publisher, a server that is down
            near.close()
            return
        with self._lock:
            self._sockets |= {near, far}
        there = threading.Thread(target=self._pass_on, args=(near, far, False), daemon=True)
        there.start()
        self._pass_on(far, near, True)
        there.join()
        with self._lock:
            self._sockets -= {near, far}
        near.close()
        far.close()

    def _pass_on(self, source: socket.socket, sink: socket.socket, from_server: bool) -> None:
        try:
            while data := source.recv(65536):
                if from_server:
                    self._audible.wait()
                sink.sendall(data)
        except (OSError, ValueError):
            pass
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
