"""Sessions that dial only addresses the guard lets through: each address is checked after DNS, and it is that very address
that is connected to, so a name can not answer differently the second time. Without TLS only allowed networks are dialled."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.poolmanager import PoolManager

from chalicelib.outbound.guard import is_allowed, is_within

ADDRESS_REFUSED = (
    "the target's address is private, loopback or reserved; allow its network with PAYMENTSERVER_ALLOWED_TARGETS"
)
PLAIN_REFUSED = "TLS may be off only for targets in networks of PAYMENTSERVER_ALLOWED_TARGETS"


class AddressRefused(Exception):
    """The target's address is not one that may be dialled."""


def addresses_of(host: str, port: int, allowed: Sequence[str], *, tls: bool) -> list[Any]:
    """What `host` resolves to and may be dialled, as `socket.getaddrinfo` has it. Raises AddressRefused, OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [one for one in found if is_allowed(str(one[4][0]), allowed)]
    if found and not addresses:
        raise AddressRefused(ADDRESS_REFUSED)
    if not tls:
        addresses = [one for one in addresses if is_within(str(one[4][0]), allowed)]
        if found and not addresses:
            raise AddressRefused(PLAIN_REFUSED)
    return addresses


def _connected(host: str, port: int, timeout: Any, allowed: tuple[str, ...], *, tls: bool) -> socket.socket:
    addresses = addresses_of(host, port, allowed, tls=tls)
    failure: OSError | None = None
    for family, kind, protocol, _, address in addresses:
        dialled = socket.socket(family, kind, protocol)
        try:
            dialled.settimeout(timeout if isinstance(timeout, (int, float)) else None)
            dialled.connect(address)
            dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return dialled
        except OSError as error:
            dialled.close()
            failure = error
    raise failure or OSError("the target's name has no address")


def guarded_session(allowed: tuple[str, ...], client: ssl.SSLContext | None = None) -> requests.Session:
    """A session without retries, redirects, proxies or cookies, whose every connection is checked.

    `allowed` are networks (CIDR) let through besides public addresses. Raises AddressRefused when used on another one.
    `client` holds a client certificate for servers that ask for one.
    """
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.headers.clear()
    session.headers["User-Agent"] = "PaymentServer"
    adapter = _adapter_class(allowed)
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter(client))
    return session


@lru_cache(maxsize=16)
def _adapter_class(allowed: tuple[str, ...]) -> Any:
    class Guarded:
        host: str
        _dns_host: str
        port: int
        timeout: Any
        tls: bool

        def _new_conn(self) -> socket.socket:
            try:
                return _connected(self._dns_host, self.port, self.timeout, allowed, tls=self.tls)
            except TimeoutError as error:
                raise ConnectTimeoutError(self, "connecting took too long") from error
            except OSError as error:
                raise NewConnectionError(cast(HTTPConnection, self), f"no connection: {error}") from error

    class GuardedHttp(Guarded, HTTPConnection):
        tls = False

    class GuardedHttps(Guarded, HTTPSConnection):
        tls = True

    class HttpPool(HTTPConnectionPool):
        ConnectionCls = GuardedHttp

    class HttpsPool(HTTPSConnectionPool):
        ConnectionCls = GuardedHttps

    class Adapter(HTTPAdapter):
        def __init__(self, client: ssl.SSLContext | None) -> None:
            self._client = client
            super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

        def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
            if self._client is not None:
                options["ssl_context"] = self._client
            self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **options)
            self.poolmanager.pool_classes_by_scheme = {"http": HttpPool, "https": HttpsPool}

    return Adapter
