"""Packages for the tests of this folder, each made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.aws.packages import MACHINE, Package, built
from tests.aws.shopping import Surroundings, surroundings


@pytest.fixture(scope="session")
def machine_package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """What runs on this machine."""
    return built(tmp_path_factory.mktemp("package") / "out", architecture=MACHINE)


@pytest.fixture(scope="session")
def package(machine_package: Package, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """What `make package` makes without further words: what is deployed."""
    if MACHINE == "arm64":
        return machine_package
    return built(tmp_path_factory.mktemp("deployed") / "out", architecture="arm64")


@pytest.fixture(scope="session")
def other_package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """What runs on this machine, made another time and for the other stage."""
    return built(tmp_path_factory.mktemp("other") / "out", architecture=MACHINE, stage="dev")


@pytest.fixture(scope="session")
def around(machine_package: Package, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    """The stack on the stand-in, with what is around it."""
    with surroundings(machine_package, tmp_path_factory.mktemp("deployment")) as made:
        yield made
