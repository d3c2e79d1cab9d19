"""No function does here what its policy does not allow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import rights
from tests.rights import within_rights

__all__ = ["within_rights"]
rights.watch()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """tests/aws/test_rights.py asks what was used."""
    if folder := os.environ.get("RIGHTS_USED"):
        rights.write_used(Path(folder))
