"""What holds for every test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import Phase, settings

settings.register_profile("any machine", deadline=None)  # a busy machine is no failure
settings.register_profile("one failure is enough", deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
settings.load_profile("any machine")

# botocore parses 1.2 MB of JSON for each session, and tests make hundreds of sessions.
_read = cache(JSONFileLoader().load_file)
JSONFileLoader.load_file = lambda _, path: _read(path)

MEMORY = Path("/dev/shm")
ROOM_BYTES = 1 << 30  # five times what all tests leave in it


def roomy() -> bool:
    """Whether there is a file system in memory, large enough, and with programs that may be run."""
    if not MEMORY.is_dir():
        return False
    there = os.statvfs(MEMORY)
    return there.f_bavail * there.f_frsize >= ROOM_BYTES and not there.f_flag & os.ST_NOEXEC


def pytest_xdist_auto_num_workers() -> int:
    """Two for each core while cores are few: half of the tests' time is waiting for servers and processes."""
    cores = os.cpu_count() or 1
    return max(cores, min(2 * cores, 8))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What one worker has to do alone comes first, the stacks before all, so that no worker is left with it at the end."""
    stack = Path(__file__).parent / "stack"
    items.sort(
        key=lambda one: 0 if one.path.is_relative_to(stack) else 1 if one.get_closest_marker("xdist_group") else 2
    )


# Every commit waits for the disk, and here nobody reads what was written once the machine has lost its power.
if roomy():
    os.environ.setdefault("TMPDIR", str(MEMORY))
    tempfile.tempdir = None  # pytest has asked already


@pytest.fixture(scope="session")
def ministack_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of an AWS stand-in that all tests of this process share: names are to be one's own."""
    from tests.servers.ministack import ministack  # most processes need none

    with ministack(tmp_path_factory.mktemp("ministack")) as endpoint:
        yield endpoint
