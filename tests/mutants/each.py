"""Runs the tests of each of mutmut's mutants, in the folder that mutmut made; tests/mutants/run.py starts it."""

from __future__ import annotations

import gc
import json
import mmap
import os
import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from chalicelib.domain.money import Money

SIDE_BY_SIDE = int(os.environ.get("CORES", "2"))
TESTS_S = float(os.environ.get("TESTS_S", "20"))  # of tests that are run for a mutant, the likeliest first
CPU_S = 30  # a mutant that comes to no end is noticed
NOTICED_MIN = 0.95
TESTS = tuple(f"tests/{folder}" for folder in ("domain", "routing", "services", "outbound", "connectors", "publishers"))
OPTIONS = (
    "-n",
    "0",
    "-q",
    "-s",
    "-m",
    "not long",
    "--no-summary",
    "--timeout=20",
    "--rootdir=.",
    "--tb=native",
    "--assert=plain",
)


class Each:
    """Takes the place of pytest's own loop over the collected tests."""

    def __init__(self, names: list[str]) -> None:
        stats = json.loads(Path("mutmut-stats.json").read_text())
        self.tests_of: dict[str, list[str]] = stats["tests_by_mangled_function_name"]
        self.durations: dict[str, float] = stats["duration_by_test"]
        mutants = list(_all_mutants())
        self.mutants = list(dict.fromkeys(one for name in names or [""] for one in mutants if one.startswith(name)))
        self.noticed: dict[str, bool] = {}
        self.seen: dict[str, Counter[str]] = defaultdict(
            Counter
        )  # by function and module: which tests noticed how many

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        gc.freeze()
        running: dict[int, tuple[str, list[str], mmap.mmap]] = {}
        for name in self.mutants:
            if len(running) >= SIDE_BY_SIDE:
                self._ended(running)
            chosen = [test for test in self._chosen(name) if test in items]
            failed_at = mmap.mmap(-1, 4)
            running[_forked(session, name, [items[test] for test in chosen], failed_at)] = (name, chosen, failed_at)
        while running:
            self._ended(running)
        return True

    def _chosen(self, name: str) -> Iterator[str]:
        """The tests that come through the mutant's function: those that noticed most so far first, then those named after its
        module, those of services last, and otherwise the shortest first."""
        function, left_s = name.rpartition("__mutmut_")[0], TESTS_S
        for test in sorted(self.tests_of.get(function, []), key=lambda one: self._order(function, one)):
            left_s -= self.durations.get(test, 0)
            if left_s < 0:
                return
            yield test

    def _order(self, function: str, test: str) -> tuple[int, int, bool, bool, float]:
        module = function.rpartition(".")[0]
        is_its_own = f"/test_{module.rpartition('.')[2]}.py" in test
        seen, seen_of_module = self.seen[function][test], self.seen[module][test]
        return -seen, -seen_of_module, not is_its_own, test.startswith("tests/services"), self.durations.get(test, 0)

    def _ended(self, running: dict[int, tuple[str, list[str], mmap.mmap]]) -> None:
        pid, status = os.wait()
        name, chosen, failed_at = running.pop(pid)
        if status == 256:
            test, function = chosen[int.from_bytes(failed_at[:4])], name.rpartition("__mutmut_")[0]
            self.seen[function][test] += 1
            self.seen[function.rpartition(".")[0]][test] += 1
        self.noticed[name] = status != 0
        if status == 0:
            print(f"SURVIVES: {name}", flush=True)
        if len(self.noticed) % 100 == 0:
            print(f"{len(self.noticed)} of {len(self.mutants)}", flush=True)


def _all_mutants() -> Iterator[str]:
    for path in sorted(Path("chalicelib").rglob("*.meta")):
        yield from json.loads(path.read_text())["exit_code_by_key"]


def _forked(session: pytest.Session, name: str, items: list[pytest.Item], failed_at: mmap.mmap) -> int:
    """The child ends with 1 where a test failed, and leaves its place; with anything else where the process broke."""
    pid = os.fork()
    if pid:
        return pid
    code = 2
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(silence, stream)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
        os.environ["MUTANT_UNDER_TEST"] = name
        code = 0
        for place, (item, following) in enumerate(pairwise((*items, None))):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)  # type: ignore[union-attr]
            if session.testsfailed:
                code, failed_at[:4] = 1, place.to_bytes(4)
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
