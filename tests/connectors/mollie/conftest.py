from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connectors.mollie.shop import Shop, shop_of


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with shop_of(tmp_path) as one:
        yield one
