"""Changes each entry of the tables, one at a time, and says which changes no test noticed.

    python -m tests.mutants.notice                every table
    python -m tests.mutants.notice _RANK watch    those with one of these words in their module or name

The tests are collected once; each change is made in a fork of that process, which runs the tests of its table until one
fails. Ends with 1 where a change survives, or where the tests fail with nothing changed.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.mutants.tables import EQUIVALENT, TABLES, Change, Table, changes_of

ROOT = Path(__file__).parents[2]
SIDE_BY_SIDE = 2
OPTIONS = (
    *("-n", "0", "-q", "-s", "-m", "not long", "--no-summary", "--timeout=60", "--tb=native", "--assert=plain"),
    "--hypothesis-profile=one failure is enough",  # nobody reads the smallest example
)


class Noticing:
    """Takes the place of pytest's own loop over the collected tests."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self.tables = tuple(tables)
        self.noticed: dict[str, bool] = {}
        self.broken: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        gc.freeze()
        changes = {change.label: change for table in self.tables for change in changes_of(table)}
        sound = {" ".join(table.tests): Change(table, "nothing", lambda: None) for table in self.tables}
        self.broken = [tests for tests, failed in _run_all(session, sound) if failed]
        for label, noticed in _run_all(session, changes):
            self.noticed[label] = noticed
            if not noticed and label not in EQUIVALENT:
                print(f"SURVIVES: {label}", flush=True)
        return True


def _run_all(session: pytest.Session, changes: dict[str, Change]) -> Iterator[tuple[str, bool]]:
    """(label, whether a test failed), in forks side by side."""
    running: dict[int, str] = {}
    for label, change in changes.items():
        if len(running) >= SIDE_BY_SIDE:
            yield _ended(running)
        running[_forked(session, change)] = label
    while running:
        yield _ended(running)


def _ended(running: dict[int, str]) -> tuple[str, bool]:
    pid, status = os.wait()
    return running.pop(pid), status != 0


def _forked(session: pytest.Session, change: Change) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(silence, stream)
        change.apply()
        code = int(_fails(session, change.table.tests))
    finally:
        os._exit(code)


def _fails(session: pytest.Session, tests: tuple[str, ...]) -> bool:
    """Runs those tests until one fails."""
    items = [item for wanted in tests for item in session.items if _is_of(item, wanted)]
    assert items, f"no tests in {tests}"
    for item, following in pairwise((*items, None)):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)  # type: ignore[union-attr]
        if session.testsfailed:
            return True
    return False


def _is_of(item: pytest.Item, wanted: str) -> bool:
    path, _, name = wanted.partition("::")
    return item.path == ROOT / path and item.name.startswith(name)


def notice(words: Iterable[str]) -> Noticing:
    """Changes the tables that have one of these words in their module or name, or all."""
    wanted = [table for table in TABLES if not words or any(word in f"{table.module} {table.name}" for word in words)]
    noticing = Noticing(wanted)
    files = dict.fromkeys(tests.partition("::")[0] for table in wanted for tests in table.tests)
    os.chdir(ROOT)
    pytest.main([*OPTIONS, *files], plugins=[noticing])
    return noticing


def main() -> int:
    began = time.monotonic()
    result = notice(sys.argv[1:])
    survived = [label for label, noticed in result.noticed.items() if not noticed and label not in EQUIVALENT]
    stale = [label for label in EQUIVALENT if result.noticed.get(label)]
    for tests in result.broken:
        print(f"FAILS WITH NOTHING CHANGED: {tests}")
    for label in stale:
        print(f"NOTICED AFTER ALL: {label}")
    noticed = sum(result.noticed.values())
    equivalent = len(result.noticed) - noticed - len(survived)
    print(
        f"{len(result.noticed)} changes of {len(result.tables)} tables: {noticed} noticed, {equivalent} equivalent, "
        f"{len(survived)} survive ({time.monotonic() - began:.0f} s)"
    )
    return int(bool(result.broken or survived or stale or not result.noticed))


if __name__ == "__main__":
    sys.exit(main())
