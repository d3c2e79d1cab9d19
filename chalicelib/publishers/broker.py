"""What holds before any broker is dialled: its client library is there, and its address is one that may be dialled."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from chalicelib.contracts.publisher import Rejected, Retry
from chalicelib.domain.errors import Pointer
from chalicelib.outbound.dial import ADDRESS_REFUSED, PLAIN_REFUSED, AddressRefused, addresses_of
from chalicelib.outbound.failures import UNRESOLVED
from chalicelib.outbound.guard import is_allowed, is_within

CONNECT_TIMEOUT_S, ANSWER_TIMEOUT_S = 5.0, 15.0


@contextmanager
def library_of(channel: str) -> Iterator[None]:
    """Around the import of a channel's client library. Raises Retry that says how to get it."""
    try:
        yield
    except ImportError as error:
        raise Retry(
            f"the channel {channel} needs its client library: pip install -r requirements/channels/{channel}.txt"
        ) from error


def dialled_addresses(host: str, port: int, allowed: Sequence[str], *, tls: bool) -> list[str]:
    """The addresses of `host` that may be dialled, resolved now: dial these, not the name.

    Raises Retry for a name without addresses, Rejected where none may be dialled, or none without TLS.
    """
    try:
        found = addresses_of(host, port, allowed, tls=tls)
    except AddressRefused as refused:
        raise Rejected(str(refused)) from None
    except (OSError, UnicodeError):
        raise Retry(UNRESOLVED) from None
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def objection_to(host: str, allowed: Sequence[str], *, tls: bool, at: str) -> Pointer | None:
    """What is wrong with a host before it is ever dialled, with `at` as pointer; names are looked up only when dialled."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None if tls or allowed else Pointer(at, PLAIN_REFUSED)
    if not is_allowed(host, allowed):
        return Pointer(at, ADDRESS_REFUSED)
    return None if tls or is_within(host, allowed) else Pointer(at, PLAIN_REFUSED)


def tls_context(ca_certificates: str | None) -> ssl.SSLContext:
    """Trusts these authorities (PEM) alone, or the machine's. Raises ValueError for what is no certificate."""
    try:
        return ssl.create_default_context(cadata=ca_certificates)
    except (ssl.SSLError, TypeError) as error:  # TypeError: a letter that is not ASCII
        raise ValueError("must be one or more certificates in PEM") from error
