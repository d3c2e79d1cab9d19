"""Brokers are started once for all tests of their channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.conformance.channel import Broker, ChannelHarness
from tests.servers.ministack import ministack


@pytest.fixture(scope="session")
def broker_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[ChannelHarness], Broker]]:
    brokers: dict[str, Broker] = {}
    with ExitStack() as running:

        def started(harness: ChannelHarness) -> Broker:
            name = str(harness)
            if name not in brokers:
                brokers[name] = running.enter_context(harness.opened(tmp_path_factory.mktemp(name)))
            return brokers[name]

        yield started


@pytest.fixture(scope="session")
def ministack_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of an AWS stand-in that all tests of this process share: names are to be one's own."""
    with ministack(tmp_path_factory.mktemp("ministack")) as endpoint:
        yield endpoint
