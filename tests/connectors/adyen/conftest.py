from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connectors.adyen.peer import Adyen
from tests.connectors.adyen.shop import ACCOUNTS, AdyenShop
from tests.connectors.peer import serving
from tests.world import HandClock


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[AdyenShop]:
    clock = HandClock()
    accounts = {name: Adyen(clock.now, *account) for name, account in ACCOUNTS.items()}
    with serving(*accounts.values()) as driver:
        yield AdyenShop(tmp_path, driver, clock, accounts)
