"""ministack: an AWS stand-in over the wire, and DynamoDB Local's neighbour in the conformance suites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import CalledProcessError

from dev.ministack import CREDENTIALS, environment_of, program
from tests.conformance.channel import lacking
from tests.ports import free_port
from tests.servers.process import serving

__all__ = ["CREDENTIALS", "ministack"]


@contextmanager
def ministack(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """The endpoint of a server of one's own; `folder` takes its log and what it writes. Skips where pip can not get it."""
    try:
        python = program()
    except CalledProcessError as error:
        lacking(f"ministack can not be installed: {error}")
    port = free_port()
    started = {**environment_of(port, folder), **(environment or {})}
    with serving([str(python), "-m", "ministack"], port, folder / "ministack.log", started):
        yield f"http://127.0.0.1:{port}"
