"""One running stack for the tests here that share it, which xdist therefore runs in one worker (`--dist loadgroup`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.running import Stack, running

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            shares = "stack" in getattr(item, "fixturenames", ())
            item.add_marker(pytest.mark.xdist_group("stack" if shares else item.path.stem))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("stack") / "var") as started:
        # Tests that make them fail would open their circuits to the tests after.
        for name in ("sandbox-a", "sandbox-b"):
            path = f"/v1/connections/{name}/health"
            assert started.call("PUT", path, {"override": "closed"}).status_code == 200
        yield started
