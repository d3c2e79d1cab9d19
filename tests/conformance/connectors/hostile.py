"""What a webhook may come with instead of what its PSP sent."""

from __future__ import annotations

from collections.abc import Iterator

HEADERS = (
    "", "v1", "t=1,v1=", "v1,%%%", "v1,a,b", "t=x,v1=y", "t=99999999999999999999,v1=a", "é", "t=1,t=2,v1=a", "," * 3000,
    "=\x00", "t=1,v1=" + "a" * 64, "AAAA", "t=-1,v1=a", "t=\uff11,v1=a", "{}", "null", "\ud800",
)  # fmt: skip
BODIES = (
    b"", b"{}", b"[]", b"null", b"17", b"\xff", b'"text"', b'{"data": 1}', b'{"type": 1, "data": {"object": 1}}',
    b'{"data": {"object": []}}', b"[" * 50_000, b'{"id": "\\ud800"}',
)  # fmt: skip
# The first ones are refused at the door, by `contracts.query`; a connector that meets them all the same calls them invalid.
UNREADABLE_QUERIES = (
    "%", "%4", "a=%zz", "a=%ff", "a=%ed%a0%80", "a=%00", "a=b%0d%0aSet-Cookie:c", "a=%7f", "a=\x00", "a=b\nc", "a b", "é",
    "\ud800", "a=\x80", "#a", "&".join(["a=1"] * 101),
)  # fmt: skip
QUERIES = (
    "", "&", "=", "?", "a", "a=1&a=2", "signature", "signature=", "signature=a&signature=b", "a[]=1", "a;b", "%C3%A9=%EF%BC%91",
    "&&&===", "a=" + "b" * 7_000, "%25%32%35", "+", "..%2F..%2F", "{}", "'\"<>",
)  # fmt: skip


def changed_queries(query: str) -> Iterator[str]:
    """Each says something else than `query`, or says it twice."""
    for place in range(len(query)):
        if query[place].isalnum():
            yield query[:place] + ("1" if query[place] == "0" else "0") + query[place + 1 :]
        else:
            yield query[:place] + query[place + 1 :]
    parts = query.split("&")
    for one in parts:
        yield "&".join([*parts, one])
        yield "&".join([one, *parts])
        yield "&".join(other for other in parts if other != one)
