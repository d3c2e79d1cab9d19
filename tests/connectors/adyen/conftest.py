from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.connectors.adyen.connector import AdyenConnector
from chalicelib.domain.view import text_of
from tests.connectors.adyen.peer import Peer, serving
from tests.connectors.adyen.shop import KEYS, Adyen


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Adyen]:
    made = Adyen(tmp_path)
    time = lambda: text_of(made.world.clock.now())  # noqa: E731
    with (
        serving(Peer("FirstECOM", KEYS["adyen-1"], time)) as one,
        serving(Peer("SecondECOM", KEYS["adyen-2"], time)) as two,
    ):
        addresses = {KEYS["adyen-1"]: one.url, KEYS["adyen-2"]: two.url}
        built = AdyenConnector.__init__

        def here(self: Any, settings: Any) -> None:
            built(self, settings)
            self._base = addresses.get(settings.api_key.get_secret_value(), one.url)

        monkeypatch.setattr(AdyenConnector, "__init__", here)
        made.configure(one, "adyen-1")
        made.configure(two, "adyen-2")
        made.route("adyen-1", "adyen-2")
        yield made
