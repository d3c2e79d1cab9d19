"""No entry of a table can be wrong without a test that fails."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.mutants.notice import ROOT


@pytest.mark.long
def test_every_wrong_entry_of_a_table_is_noticed() -> None:
    """In a process of its own: it forks for each change."""
    command = [sys.executable, "-m", "tests.mutants.notice"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def test_a_wrong_entry_that_no_test_looks_at_is_told() -> None:
    """The tests of MOVEMENT, say, know nothing of currencies: with them a wrong exponent survives."""
    script = (
        "from dataclasses import replace; from tests.mutants import notice, tables\n"
        "money = next(one for one in tables.TABLES if one.name == 'EXPONENT')\n"
        "notice.TABLES = (replace(money, tests=tables.OPERATION),)\n"
        "notice.changes_of = lambda table: list(tables.changes_of(table))[:2]\n"
        "raise SystemExit(notice.main())"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout.count("SURVIVES: money.EXPONENT") == 2
