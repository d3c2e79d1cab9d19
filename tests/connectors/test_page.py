"""A shopper is led to a plain https address, where it must be one in the PSP's own domain, and nowhere else."""

from __future__ import annotations

import pytest

from chalicelib.contracts.page import CHARACTERS_MAX, page_in


@pytest.mark.parametrize(
    "url",
    [
        "https://pay.example/",
        "https://pay.example",
        "https://pay.example:8443/a",
        "https://X/",
        "https://Pay.Example?token=a%20b&c=[1]",
        "https://checkout.example/c/pay/cs_1#fidkdWxOYHwnPyd1blpxYHZxWjA0~{|}^`!$&'()*+,;=:@-._",
        "https://pay.example/" + "x" * (CHARACTERS_MAX - 20),
    ],
)
def test_a_page_is_an_https_address(url: str) -> None:
    assert page_in(url) == url


NONE = [
    None,
    1,
    b"https://pay.example/",
    "",
    "http://pay.example/",
    "HTTPS://pay.example/",
    "//pay.example/",
    "https:/pay.example/",
    "https://",
    "https:///x",
    "https://./x",
    "https://-/x",
    "https://?x",
    "https://a@pay.example/",
    "https://pay.example@evil.example/",
    "https://evil.example\\@pay.example/",
    "https://evil.example\\.pay.example/",
    "https://pay.example/a b",
    'https://pay.example/"',
    "https://pay.example/<script>",
    "https://pay.example/\\a",
    "https://pay.example/\n",
    "https://pay.example/\r\nLocation: x",
    "https://pay.example/\x7f",
    "https://pay.example/é",
    "https://päy.example/",
    "https://pay。example/",
    "https://pay.example:/x",
    "https://pay.example:999999/x",
    "https://pay.example:a/x",
    "https://[::1]/x",
    "https://" + "a" * 254,
    "https://pay.example/" + "x" * (CHARACTERS_MAX - 19),
    " https://pay.example/",
    "javascript:alert(1)//https://pay.example/",
]


@pytest.mark.parametrize("url", NONE, ids=range(len(NONE)))
def test_anything_else_is_none(url: object) -> None:
    with pytest.raises(ValueError, match=r"^the page is at no https address$"):
        page_in(url)


@pytest.mark.parametrize("host", ["www.psp.example", "a.b-1.psp.example", "WWW.PSP.EXAMPLE"])
def test_where_all_pages_are_in_one_domain_a_page_is_there(host: str) -> None:
    assert page_in(f"https://{host}/a?b#c", below="psp.example")


@pytest.mark.parametrize(
    "host",
    [
        "psp.example",
        "evilpsp.example",
        "www.psp.example.evil.example",
        "www.psp.example:8443",
        "evil.example/.psp.example",
        "evil.example?www.psp.example",
        "evil.example#www.psp.example",
        "www.psp.example.",
    ],
)
def test_and_nowhere_else(host: str) -> None:
    with pytest.raises(ValueError, match=r"^the page is not the PSP's$"):
        page_in(f"https://{host}/a", below="psp.example")
