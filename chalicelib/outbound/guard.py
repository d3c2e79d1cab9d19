"""Which addresses PaymentServer may dial for others (webhook targets): checked on the address itself, after DNS.

The table is explicit because `ipaddress.is_global` calls several translated and reserved ranges global. Sources: the IANA
IPv4 and IPv6 special-purpose address registries; 168.63.129.16 is Azure's own service inside every virtual machine, though a
public address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_REFUSED_V4 = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16/32 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
    "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
)
# Of IPv6 only global unicast is let through, less what translates or documents.
_GLOBAL_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6 = "2001::/23 2001:db8::/32 2002::/16 3fff::/20"

_REFUSED: tuple[Network, ...] = tuple(ipaddress.ip_network(text) for text in (_REFUSED_V4 + " " + _REFUSED_V6).split())


@lru_cache(maxsize=64)
def networks_of(allowed: tuple[str, ...]) -> tuple[Network, ...]:
    """Raises ValueError on a malformed network."""
    return tuple(ipaddress.ip_network(text) for text in allowed)


def is_within(address: str, networks: Sequence[str]) -> bool:
    """Whether `address` (text of an IP address) is in one of `networks`, so that it may be spoken to without TLS."""
    try:
        dialled: Address = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return False
    return any(dialled in network for network in networks_of(tuple(networks)))


def is_allowed(address: str, allowed: Sequence[str] = ()) -> bool:
    """Whether `address` (text of an IP address) may be dialled; `allowed` are networks let through all the same."""
    try:
        dialled: Address = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return False
    if is_within(address, allowed):
        return True
    if isinstance(dialled, ipaddress.IPv6Address):
        if dialled.ipv4_mapped is not None:
            return is_allowed(str(dialled.ipv4_mapped), allowed)
        if dialled not in _GLOBAL_UNICAST_V6:
            return False
    return not any(dialled in network for network in _REFUSED)
