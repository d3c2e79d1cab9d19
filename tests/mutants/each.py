"""Runs the tests of each of mutmut's mutants, in the folder that mutmut made; tests/mutants/run.py starts it."""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from chalicelib.domain.money import Money

SIDE_BY_SIDE = int(os.environ.get("CORES", "2"))
TESTS_S = float(os.environ.get("TESTS_S", "20"))  # of tests that are run for a mutant, the likeliest first
CPU_S = 30  # a mutant that comes to no end is noticed
NOTICED_MIN = 0.95
TESTS = (
    "tests/domain",
    "tests/services",
    "tests/outbound",
    "tests/connectors",
    "tests/publishers",
    "tests/conformance",
)
OPTIONS = ("-n", "0", "-q", "-s", "-m", "not long", "--no-summary", "--timeout=20", "--rootdir=.")


class Each:
    """Takes the place of pytest's own loop over the collected tests."""

    def __init__(self, names: list[str]) -> None:
        stats = json.loads(Path("mutmut-stats.json").read_text())
        self.tests_of: dict[str, list[str]] = stats["tests_by_mangled_function_name"]
        self.durations: dict[str, float] = stats["duration_by_test"]
        mutants = list(_all_mutants())
        self.mutants = list(dict.fromkeys(one for name in names or [""] for one in mutants if one.startswith(name)))
        self.noticed: dict[str, bool] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        gc.freeze()
        running: dict[int, str] = {}
        for name in self.mutants:
            if len(running) >= SIDE_BY_SIDE:
                self._ended(running)
            chosen = [items[test] for test in self._chosen(name) if test in items]
            running[_forked(session, name, chosen)] = name
        while running:
            self._ended(running)
        return True

    def _chosen(self, name: str) -> Iterator[str]:
        """The tests that come through the mutant's function: those of the domain first, then the shortest."""
        tests = self.tests_of.get(_function_of(name), [])
        left_s = TESTS_S
        for test in sorted(tests, key=lambda one: (not one.startswith("tests/domain"), self.durations.get(one, 0))):
            left_s -= self.durations.get(test, 0)
            if left_s < 0:
                return
            yield test

    def _ended(self, running: dict[int, str]) -> None:
        pid, status = os.wait()
        name = running.pop(pid)
        self.noticed[name] = status != 0
        if status == 0:
            print(f"SURVIVES: {name}", flush=True)


def _all_mutants() -> Iterator[str]:
    for path in sorted(Path("chalicelib").rglob("*.meta")):
        yield from json.loads(path.read_text())["exit_code_by_key"]


def _function_of(name: str) -> str:
    return name.rpartition("__mutmut_")[0]


def _forked(session: pytest.Session, name: str, items: list[pytest.Item]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(silence, stream)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
        os.environ["MUTANT_UNDER_TEST"] = name
        code = 0
        for item, following in pairwise((*items, None)):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)  # type: ignore[union-attr]
            if session.testsfailed:
                code = 1
                break
    finally:
        os._exit(code)


def main() -> int:
    began = time.monotonic()
    assert Path(sys.modules[Money.__module__].__file__ or "").is_relative_to(Path.cwd()), "run in mutmut's folder"
    each = Each(sys.argv[1:])
    pytest.main([*OPTIONS, *TESTS], plugins=[each])
    modules: dict[str, list[bool]] = defaultdict(list)
    for name, noticed in each.noticed.items():
        modules[name.rpartition(".")[0]].append(noticed)
    for module, results in modules.items():
        print(f"{module}: {len(results)} mutants, {sum(results)} noticed ({sum(results) / len(results):.1%})")
    total, seen = len(each.noticed), sum(each.noticed.values())
    print(f"{total} mutants, {seen} noticed ({seen / max(total, 1):.1%}), {time.monotonic() - began:.0f} s")
    return int(not total or any(sum(results) < NOTICED_MIN * len(results) for results in modules.values()))


if __name__ == "__main__":
    sys.exit(main())
