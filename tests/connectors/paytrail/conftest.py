from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connectors.paytrail.shop import PaytrailShop, shop_of


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[PaytrailShop]:
    with shop_of(tmp_path) as one:
        yield one
