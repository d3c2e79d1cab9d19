"""Why no answer came, in one phrase for each kind of failure, whichever library reports it.

Logs, timelines, delivery records and connection tests say it in these words. They hold nothing of what was sent, neither
address nor header; the libraries' own texts do.
"""

from __future__ import annotations

import errno
import socket
import ssl
from http.client import HTTPException, IncompleteRead

from urllib3.exceptions import ConnectTimeoutError, DecodeError, NewConnectionError, ReadTimeoutError

from chalicelib.outbound.dial import AddressRefused

UNRESOLVED = "the host name has no address now"
UNREADABLE = "the answer can not be read"
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL})
_ANOTHER_HOST = "the server's certificate is for another host"
_CERTIFICATE = {  # X509_V_ERR_…, as OpenSSL's x509_vfy.h numbers them
    9: "the server's certificate is not valid yet",
    10: "the server's certificate has expired",
    62: _ANOTHER_HOST,
    64: _ANOTHER_HOST,  # where it is called by its IP address
}
# The first that fits counts.
_PHRASES: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((socket.gaierror, UnicodeError), UNRESOLVED),  # UnicodeError: it can be no host name
    ((ConnectionRefusedError,), "the connection was refused"),
    ((PermissionError,), "this machine's own rules forbid the connection"),
    ((ConnectionError, ssl.SSLEOFError, IncompleteRead), "the connection was closed before the answer was complete"),
    ((HTTPException, DecodeError), UNREADABLE),
)


def reason_of(error: BaseException, *, connect_s: float, answer_s: float) -> str:
    """The phrase for what a call of requests or urllib3 raised; the times are what it was given to connect and to answer."""
    seen: BaseException | None = error
    for _ in range(10):  # each layer wraps the one below
        if seen is None:
            break
        phrase = _phrase_of(seen, connect_s, answer_s)
        if phrase is not None:
            return phrase
        seen = _inside(seen)
    return f"no usable answer ({type(error).__name__})"


def _inside(error: BaseException) -> BaseException | None:
    named = (getattr(error, "reason", None), *error.args)
    return next((one for one in named if isinstance(one, BaseException)), error.__cause__ or error.__context__)


def _phrase_of(error: BaseException, connect_s: float, answer_s: float) -> str | None:
    if isinstance(error, AddressRefused):
        return str(error)
    if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):
        return f"no connection within {round(connect_s, 1):g} s"
    if isinstance(error, ReadTimeoutError | TimeoutError):
        return f"no answer within {round(answer_s, 1):g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        untrusted = f"the server's certificate is not trusted: {error.verify_message}"
        return _CERTIFICATE.get(error.verify_code, untrusted)
    for kinds, phrase in _PHRASES:
        if isinstance(error, kinds):
            return phrase
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason})"
    return "there is no route to the host" if isinstance(error, OSError) and error.errno in _NO_ROUTE else None
