"""What CONTRIBUTING.md says of the kit is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dev.new_connector.__main__ import TEMPLATES
from tests.conformance.connectors import playing, recordings

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
PART = GUIDE[GUIDE.index("## Add a PSP") : GUIDE.index("A database is a file")]


def test_each_file_that_is_laid_out_is_explained() -> None:
    for path in sorted(TEMPLATES.rglob("*.txt")):
        name = path.with_suffix("").name
        assert f"`{name}`" in PART or (path.parent.name == "scenarios" and "`scenarios/*.json`" in PART), name


def test_each_path_is_there() -> None:
    paths = re.findall(r"`((?:chalicelib|tests|docs|requirements)/[\w/.]+)`", PART)
    assert len(paths) >= 6
    for path in paths:
        assert "newpay" in path or (ROOT / path).exists(), path


def test_each_make_target_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z-]+)", PART)):
        assert f"\n{target}:" in makefile, target


@pytest.mark.parametrize("name", sorted(recordings.ours("sandbox")))
def test_each_name_that_scenarios_may_use_is_explained(name: str) -> None:
    assert f"${{{name}}}" in PART or name.startswith("operation_")


def test_each_call_is_explained() -> None:
    for call in (
        *playing.MONEY_CALLS,
        "open_checkout",
        "fetch",
        "recover",
        "expire",
        "complete",
        "test",
        "look_up",
        "webhook",
    ):
        assert f"`{call}`" in PART, call


def test_the_parts_of_a_step_are_explained() -> None:
    for name in recordings.Step.__dataclass_fields__:
        assert f"`{name}`" in PART, name
