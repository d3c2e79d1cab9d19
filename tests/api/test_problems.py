from __future__ import annotations

import json
import re

import pytest

from chalicelib.api.page import page_of
from chalicelib.api.problem import PROBLEMS, TITLE_OF, headers_of, members_of, problem
from chalicelib.domain import errors
from chalicelib.domain.errors import (
    STATUS_OF,
    Forbidden,
    InProgress,
    Invalid,
    PaymentServerError,
    Pointer,
    StorageFault,
    Unauthenticated,
    leaves,
)


def test_every_error_has_a_status() -> None:
    assert leaves(PaymentServerError) == set(STATUS_OF)


@pytest.mark.parametrize("error", STATUS_OF, ids=lambda error: error.__name__)
def test_every_error_has_the_status_that_is_drawn_in_the_tree(error: type[PaymentServerError]) -> None:
    drawn = dict(re.findall(r"── (\w+) +(\d{3})  ", errors.__doc__ or ""))
    assert STATUS_OF[error] == int(drawn[error.__name__])


@pytest.mark.parametrize("error", STATUS_OF, ids=lambda error: error.__name__)
def test_every_error_has_a_title(error: type[PaymentServerError]) -> None:
    assert error.slug in TITLE_OF


def test_every_title_has_a_page_and_every_page_a_title() -> None:
    assert {page.stem for page in PROBLEMS.glob("*.md")} == set(TITLE_OF)
    assert {page.suffix for page in PROBLEMS.iterdir()} == {".md"}


@pytest.mark.parametrize("slug", TITLE_OF)
def test_a_page_says_what_why_and_how_and_shows_an_example(slug: str) -> None:
    text = (PROBLEMS / f"{slug}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {TITLE_OF[slug]}\n")
    assert re.findall("^## (.*)$", text, re.MULTILINE) == [
        "What it means",
        "Why it happens",
        "How to mend it",
        "Example",
    ]
    example = re.search("```json\n(.*?)```", text, re.DOTALL)
    assert example is not None
    shown = json.loads(example[1])
    assert shown.get("title", TITLE_OF[slug]) == TITLE_OF[slug]
    assert shown.get("type", slug).endswith(slug)


def test_a_problem_names_its_page_and_its_call() -> None:
    document = json.loads(
        problem("not-found", 404, "gone", public_url="https://p.example", instance="/v1/x", request_id="r", extra=1)
    )
    assert document == {
        "type": "https://p.example/problems/not-found",
        "title": TITLE_OF["not-found"],
        "status": 404,
        "detail": "gone",
        "instance": "/v1/x",
        "request_id": "r",
        "extra": 1,
    }


def test_a_problem_without_a_page_can_not_be_made() -> None:
    with pytest.raises(KeyError):
        problem("nonsense", 400, "", public_url="", instance="", request_id="")


def test_what_is_invalid_is_pointed_at() -> None:
    error = Invalid("bad", (Pointer("/a", "too long"),))
    assert members_of(error) == {"errors": [{"pointer": "/a", "detail": "too long"}]}


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        (InProgress("", 12), "Retry-After", "12"),
        (StorageFault(""), "Retry-After", "5"),
        (Unauthenticated(""), "WWW-Authenticate", 'Bearer realm="paymentserver", error="invalid_token"'),
        (Unauthenticated("", presented=False), "WWW-Authenticate", 'Bearer realm="paymentserver"'),
        (
            Forbidden("", "config:read"),
            "WWW-Authenticate",
            'Bearer realm="paymentserver", error="insufficient_scope", scope="config:read"',
        ),
    ],
)
def test_a_problem_tells_what_to_do_next(error: PaymentServerError, name: str, value: str) -> None:
    assert headers_of(error)[name] == value


def test_a_page_becomes_html_with_everything_escaped() -> None:
    page = page_of(
        "# A <b>\n\ntext `x<y`\ngoes on\n\n- one\n  more\n- two\n\n1. first\n\n## Next\n```\n<i>\n\n# no\n```\n"
    )
    assert "<title>A &lt;b&gt;</title>" in page
    main = page.partition("<main>\n")[2].partition("\n</main>")[0]
    assert main == (
        "<h1>A &lt;b&gt;</h1>\n<p>text <code>x&lt;y</code> goes on</p>\n<ul><li>one more</li><li>two</li></ul>\n"
        "<ol><li>first</li></ol>\n<h2>Next</h2>\n<pre><code>&lt;i&gt;\n\n# no</code></pre>"
    )
