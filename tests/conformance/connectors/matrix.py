"""What each connector can do, as docs/connectors.md has it: rendered from what `GET /v1/connectors` answers, the notes in each
folder's `__init__.py`, and its webhook set-up. `make connectors` writes the file; a test compares it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from chalicelib.api.catalogue import connector_view
from chalicelib.contracts.decline_codes import DECLINE_CODES
from tests.conformance.connectors.profile import NAMES, connector_class, connector_of

DOCUMENT = Path(__file__).parents[3] / "docs" / "connectors.md"
URL = "https://<your address>/webhooks/<merchant>/<connection>"
Json = Mapping[str, Any]

INTRODUCTION = """# Connectors

One for each PSP. `make connectors` renders this page from the connectors themselves, and a test compares the two;
`GET /v1/connectors` answers the same, `GET /v1/connections/{id}/webhook` what to enter at the PSP for one connection.
[CONTRIBUTING.md](../CONTRIBUTING.md) says how to add one.

## What each can do
"""

METHODS = """## Payment methods

The names that checkouts and routing rules use, the same for every PSP.
"""
CODES = """## Why a PSP said no

`decline.code` is one of these, whichever PSP said it; `decline.psp_code` is the PSP's own word. `decline.class` says what may
help: `hard` that card or account never, `soft` later or another way, `fraud` no other PSP is asked.
"""


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _can(operation: str) -> Callable[[Json], str]:
    return lambda view: _yes(operation in view["capabilities"]["operations"])


def _is(capability: str) -> Callable[[Json], str]:
    return lambda view: _yes(view["capabilities"][capability])


def _hours(view: Json) -> str:
    lives = view["capabilities"]["key_lives_s"]
    told = {f"{seconds / 3600:g} h" for seconds in lives.values()}
    if len(told) <= 1:
        return "".join(told) or "not at all"
    return ", ".join(f"{call} {seconds / 3600:g} h" for call, seconds in sorted(lives.items()))


ADDRESSES = {"entered": "entered there", "told": "told with each page", "own": "told with each page, each its own"}
ROWS: tuple[tuple[str, Callable[[Json], str]], ...] = (
    ("automatic capture", lambda view: _yes("automatic" in view["capabilities"]["capture_modes"])),
    ("manual capture", lambda view: _yes("manual" in view["capabilities"]["capture_modes"])),
    ("capture of a part", _is("partial_capture")),
    ("several captures", _is("multiple_captures")),
    ("cancellation", _can("cancel")),
    ("refund", _can("refund")),
    ("refund of a part", _is("partial_refund")),
    ("its page can be ended", _can("expire")),
    ("unanswered pages may be sealed", _is("inert_until_visited")),
    ("what was paid can be read", _is("reads_money")),
    ("pages are found by our reference", _is("looks_up_references")),
    ("paid once the shopper is back", _is("completes_on_return")),
    ("its webhooks' address is", lambda view: ADDRESSES[view["capabilities"]["webhook_address"]]),
    ("calls back by", lambda view: " or ".join(view["capabilities"]["webhook_methods"])),
    ("calls can be repeated for", _hours),
    ("payment methods", lambda view: str(len(view["payment_methods"]))),
    ("currencies", lambda view: str(len(view["currencies"]))),
)


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(header), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def matrix_of(views: Iterable[Json]) -> str:
    """The capability matrix: a column for each connector."""
    shown = list(views)
    return table(["", *(view["title"] for view in shown)], ([name, *map(tell, shown)] for name, tell in ROWS))


def methods_of(views: Iterable[Json]) -> str:
    """Which PSP takes which payment method, by PaymentServer's own names."""
    shown = list(views)
    known = sorted({method for view in shown for method in view["payment_methods"]})
    rows = (
        [f"`{method}`", ", ".join(view["title"] for view in shown if method in view["payment_methods"])]
        for method in known
    )
    return table(["payment method", "at"], rows)


def codes() -> str:
    return table(["code", "what it says"], ([f"`{code}`", said] for code, said in DECLINE_CODES.items()))


def section_of(name: str) -> str:
    view, connector = connector_view(connector_class(name)), connector_of(name)
    notes = (import_module(f"chalicelib.connectors.{name}").__doc__ or "").strip()
    setup = connector.webhook_setup(URL)
    fields = view["settings"]["properties"]
    required = view["settings"].get("required", ())
    settings = (
        [f"`{field}`", "required" if field in required else "", " ".join(shape.get("description", "").split())]
        for field, shape in fields.items()
    )
    webhook = [f"Webhooks: {setup.where}. The address is `{setup.url}`."]
    if setup.events:
        webhook.append(f"Events: {', '.join(f'`{event}`' for event in setup.events)}.")
    if setup.secret:
        webhook.append(f"Its secret: {setup.secret}, for the setting `{setup.secret_field}`.")
    if setup.creates:
        webhook.append("`POST /v1/connections/{id}/webhook` makes it through the PSP's API.")
    parts = (
        f"## {view['title']}",
        notes,
        table(["setting", "", ""], settings).rstrip(),
        "\n".join(webhook),
        f"Currencies: {', '.join(view['currencies'])}.",
    )
    return "\n\n".join(parts) + "\n"


def document(names: Iterable[str] = NAMES) -> str:
    known = tuple(names)
    views = [connector_view(connector_class(name)) for name in known]
    parts = [INTRODUCTION, matrix_of(views), METHODS, methods_of(views), CODES, codes()]
    return "\n".join([*parts, *(section_of(name) for name in known)])


if __name__ == "__main__":
    DOCUMENT.write_text(document())
    sys.stdout.write(matrix_of(connector_view(connector_class(name)) for name in NAMES))
