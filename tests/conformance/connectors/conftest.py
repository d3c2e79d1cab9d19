"""`pytest tests/conformance/connectors --psp NAME` runs the kit for one connector; without it, for each of the registry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.api.catalogue import connector_view
from tests.conformance.connectors.matrix import matrix_of
from tests.conformance.connectors.profile import NAMES, connector_class
from tests.conformance.connectors.recordings import scenarios_of
from tests.conformance.connectors.replay import Replay, replaying


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--psp", action="append", choices=NAMES, help="the connector to run the kit for")


def chosen(config: pytest.Config) -> tuple[str, ...]:
    """The option is there only where pytest was started on this folder."""
    return tuple(config.getoption("--psp", default=None) or NAMES)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`psp` is each connector, `scenario` each scenario of each."""
    names = chosen(metafunc.config)
    if "scenario" in metafunc.fixturenames:
        found = [one for name in names for one in scenarios_of(name)]
        metafunc.parametrize("scenario", found, ids=[one.id for one in found])
    elif "psp" in metafunc.fixturenames:
        metafunc.parametrize("psp", names)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The capability matrix, where the kit was asked for."""
    if config.getoption("--psp", default=None):
        terminalreporter.section("what they can do")
        terminalreporter.write(matrix_of(connector_view(connector_class(name)) for name in chosen(config)))


@pytest.fixture(scope="module")
def replay() -> Iterator[Replay]:
    with replaying() as server:
        yield server
