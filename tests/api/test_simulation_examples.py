"""docs/simulation.md says what is so: its requests are sent to the shop that it tells of, and its answers are the shop's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.api.simulated import BE, ROUTE, Shop

PAGE = Path(__file__).parents[2] / "docs" / "simulation.md"
ROUTE_SHOWN, *EXAMPLES = [json.loads(one) for one in re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path)
    for _ in range(3):
        made.paid()
    made.paid_at_the_second()
    for _ in range(3):
        made.paid(BE)
    made.left(BE)
    made.left()
    made.left()
    made.opened()
    return made


def test_the_route_is_the_shops() -> None:
    assert ROUTE_SHOWN == ROUTE


@pytest.mark.parametrize(("request_", "answer"), [EXAMPLES[:2], EXAMPLES[2:]], ids=["one payment", "the last days"])
def test_an_example_is_answered_as_shown(shop: Shop, request_: Any, answer: Any) -> None:
    assert shop.simulate(request_).json_body == answer
