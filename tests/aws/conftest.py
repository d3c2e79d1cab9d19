"""Packages and a deployed stack for the tests of this folder, each made once."""

from __future__ import annotations

import pytest

from tests.aws.packages import MACHINE, Package, built


@pytest.fixture(scope="session")
def machine_package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """What runs on this machine."""
    return built(tmp_path_factory.mktemp("package") / "out", architecture=MACHINE)
