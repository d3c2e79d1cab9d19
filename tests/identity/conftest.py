from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.identity.verify import TokenVerifier
from tests.identity.issuing import AUDIENCE, Clock, Provider, served


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    with served(made) as url:
        made.url = url
        yield made


@pytest.fixture
def verifier(provider: Provider, clock: Clock) -> TokenVerifier:
    return TokenVerifier(provider.url, AUDIENCE, clock=clock)
