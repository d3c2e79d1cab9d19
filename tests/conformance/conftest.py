"""Brokers are started once for all tests of their channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.conformance.channel import Broker, ChannelHarness


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
