"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings

settings.register_profile("any machine", deadline=None)  # a busy machine is no failure
settings.register_profile("one failure is enough", deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def ministack_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of an AWS stand-in that all tests of this process share: names are to be one's own."""
    from tests.servers.ministack import ministack  # most processes need none

    with ministack(tmp_path_factory.mktemp("ministack")) as endpoint:
        yield endpoint
