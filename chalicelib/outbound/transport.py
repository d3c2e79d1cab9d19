"""Requests as requests' transport takes them, and answers within their time.

A session of requests would add cookies, redirects, proxies and credentials of the environment, none of which a call of ours
may have, and a third of the call's CPU.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import lru_cache

import requests
from requests.exceptions import InvalidHeader
from requests.hooks import default_hooks
from requests.structures import CaseInsensitiveDict

USER_AGENT = "PaymentServer"
_HEADER = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_CHUNK_BYTES = 65_536


class TooSlowOrLarge(Exception):
    pass


def prepared(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> requests.PreparedRequest:
    """Raises requests' InvalidURL and InvalidHeader, which are ValueErrors."""
    request = requests.PreparedRequest()
    request.method, request.hooks = method, default_hooks()
    request.url = _normalized(url)
    request.headers = CaseInsensitiveDict({"User-Agent": USER_AGENT})
    for name, value in headers.items():
        if not _HEADER.fullmatch(value):  # a key pasted with its line's end; the transport's error would show it
            raise InvalidHeader
        request.headers[name] = value
    if body is not None:
        request.headers["Content-Length"] = str(len(body))
    request.body = body
    return request


@lru_cache(1024)  # a PSP's and a subscriber's address is the same every time
def _normalized(url: str) -> str | None:
    """The address as requests would send it. Raises requests' InvalidURL."""
    request = requests.PreparedRequest()
    request.prepare_url(url, None)
    return request.url


def body_of(answer: requests.Response, ends: float, bytes_max: int) -> bytes:
    """The body, within its size and what is left of the call's time (a time-out of requests is per read alone). Raises
    TooSlowOrLarge."""
    parts: list[bytes] = []
    size = 0
    while part := answer.raw.read1(_CHUNK_BYTES, decode_content=True):  # read1: no waiting for a full buffer
        parts.append(part)
        size += len(part)
        if size > bytes_max:
            answer.close()
            raise TooSlowOrLarge(f"the answer has over {bytes_max} bytes")
        if time.monotonic() > ends:
            answer.close()
            raise TooSlowOrLarge("the answer took too long")
    return b"".join(parts)


def beginning_of(answer: requests.Response, ends: float, kept: int) -> bytes:
    """The first `kept` bytes of the body, or what came of them until `ends`. A connection that has nothing left is used
    again."""
    parts: list[bytes] = []
    size = 0
    while size <= kept and time.monotonic() <= ends:
        part = answer.raw.read1(kept + 1 - size, decode_content=True)
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
    answer.close()
    return b"".join(parts)[:kept]
