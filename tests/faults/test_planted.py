"""The table of planted bugs fits the code as it is; `make planted` plants them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.planted import BUGS, ROOT, Bug, copied, failures, plant


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_can_be_planted(tmp_path: Path, bug: Bug) -> None:
    for edit in bug.edits:
        copy = tmp_path / "chalicelib" / edit.file
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text((ROOT / "chalicelib" / edit.file).read_text())
    for path in plant(tmp_path, bug):
        compile(path.read_text(), str(path), "exec")
    assert all((ROOT / test).exists() for test in bug.tests)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(tmp_path: Path, bug: Bug) -> None:
    tree = copied(tmp_path)
    plant(tree, bug)
    assert failures(tree, bug.tests)
