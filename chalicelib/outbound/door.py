"""For client libraries that dial by themselves and take a TLS context: a Door stands in for that, with or without TLS.

It looks at the address that was dialled before a byte is sent. Its sockets never wait without end, not even if told to, and
read nothing once the time is over, which ends a library's loop however that came about.
"""

from __future__ import annotations

import errno
import math
import socket
import ssl
import time
from typing import Any, cast

from chalicelib.outbound.guard import is_allowed, is_within

PATIENCE_S = 5.0


class Door:
    """Each connection goes through `wrap_socket` when it is made. `tls` is None where TLS is off."""

    def __init__(self, host: str, tls: ssl.SSLContext | None, allowed: tuple[str, ...], patience_s: float) -> None:
        self._host, self._tls, self._allowed, self._patience_s = host, tls, allowed, patience_s
        self._ends = math.inf
        self._socket: _Plain | _Secure | None = None
        if tls is not None:
            tls.sslsocket_class = _Secure

    def open_for(self, seconds: float) -> None:
        """From now on; reading fails after that."""
        self._ends = time.monotonic() + seconds
        if self._socket is not None:
            self._socket.ends = self._ends

    def is_over(self) -> bool:
        return time.monotonic() >= self._ends

    def wrap_socket(self, dialled: socket.socket, **_: Any) -> socket.socket:
        """Raises OSError for an address that may not be dialled, and what the handshake raises."""
        peer = str(dialled.getpeername()[0])
        if not (is_allowed(peer, self._allowed) and (self._tls or is_within(peer, self._allowed))):
            raise OSError("the address that was dialled is not allowed")
        dialled.settimeout(self._patience_s)
        if self._tls is None:
            wrapped: _Plain | _Secure = _Plain(fileno=dialled.detach())
        else:
            wrapped = cast(_Secure, self._tls.wrap_socket(dialled, server_hostname=self._host))
        wrapped.patience_s, wrapped.ends = self._patience_s, self._ends
        wrapped.settimeout(self._patience_s)  # a new socket does not know that its descriptor has a time-out
        self._socket = wrapped
        return wrapped

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


class _Bounded(socket.socket):
    patience_s = PATIENCE_S
    ends = math.inf

    def settimeout(self, value: float | None) -> None:
        super().settimeout(self.patience_s if value is None else value)

    def recv_into(self, *into: Any, **named: Any) -> int:
        if time.monotonic() >= self.ends:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the time is over")
        return super().recv_into(*into, **named)


class _Plain(_Bounded):
    def unwrap(self) -> _Plain:
        """As a socket with TLS has it."""
        return self


class _Secure(_Bounded, ssl.SSLSocket):
    pass
