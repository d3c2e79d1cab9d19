from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connectors.paystack.shop import PaystackShop, shop_of


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[PaystackShop]:
    with shop_of(tmp_path) as one:
        yield one
