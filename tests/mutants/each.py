"""Runs the tests of each of mutmut's mutants, in the folder that mutmut made; tests/mutants/run.py starts it."""

from __future__ import annotations

import gc
import json
import mmap
import os
import resource
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from chalicelib.domain.money import Money

SIDE_BY_SIDE = int(os.environ.get("CORES", "2"))
TESTS_S = float(os.environ.get("TESTS_S", "20"))  # of tests that are run for a mutant, the likeliest first
CPU_S = 10 * int(TESTS_S)  # a mutant that comes to no end is noticed; a busy machine is not taken for one
SOUND_S = 60  # so long is a test believed that was seen to pass with nothing changed
NOTICED_MIN = 0.95
TESTS = tuple(f"tests/{folder}" for folder in ("domain", "routing", "services", "outbound", "connectors", "publishers"))
FAILED = 256  # as os.wait tells of an exit with 1
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
    "--hypothesis-profile=one failure is enough",  # nobody reads the smallest example
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
        self.seen: dict[str, Counter[str]] = defaultdict(Counter)  # of functions and modules: what noticed how many
        self.sound_at: dict[str, float] = {}
        self.unsound: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        gc.freeze()
        waiting, running = deque(self.mutants), dict[int, Run]()
        while waiting or running:
            if not waiting or len(running) >= SIDE_BY_SIDE:
                pid, status = os.wait()
                run = running.pop(pid)
                if not self._ended(session, run, status):
                    waiting.appendleft(run.mutant)
                run.folder.cleanup()
                continue
            mutant = waiting.popleft()
            run = Run(mutant, [items[test] for test in self._chosen(mutant) if test in items])
            running[run.start(session)] = run
        return True

    def _chosen(self, name: str) -> Iterator[str]:
        """The tests that come through the mutant's function: those that noticed most so far first, then those named after its
        module, those of services last, and otherwise the shortest first."""
        function, left_s = name.rpartition("__mutmut_")[0], TESTS_S
        tests = (one for one in self.tests_of.get(function, []) if one not in self.unsound)
        for test in sorted(tests, key=lambda one: self._order(function, one)):
            left_s -= self.durations.get(test, 0)
            if left_s < 0:
                return
            yield test

    def _order(self, function: str, test: str) -> tuple[int, int, bool, bool, float]:
        module = function.rpartition(".")[0]
        is_its_own = f"/test_{module.rpartition('.')[2]}.py" in test
        seen, seen_of_module = self.seen[function][test], self.seen[module][test]
        return -seen, -seen_of_module, not is_its_own, test.startswith("tests/services"), self.durations.get(test, 0)

    def _ended(self, session: pytest.Session, run: Run, status: int) -> bool:
        """Whether it is decided: False where the test that failed fails with nothing changed too."""
        if status == FAILED and not self._is_sound(session, run):
            return False
        if status == FAILED:
            function = run.mutant.rpartition("__mutmut_")[0]
            self.seen[function][run.failed.nodeid] += 1
            self.seen[function.rpartition(".")[0]][run.failed.nodeid] += 1
        elif status:
            print(f"ENDS WITH {status}: {run.mutant}", flush=True)
        self.noticed[run.mutant] = status != 0
        if status == 0:
            print(f"SURVIVES: {run.mutant}", flush=True)
        if len(self.noticed) % 100 == 0:
            print(f"{len(self.noticed)} of {len(self.mutants)}", flush=True)
        return True

    def _is_sound(self, session: pytest.Session, run: Run) -> bool:
        """Whether the tests up to the one that failed pass with nothing changed: a test that fails by itself, or on a busy
        machine, must not be why a mutant seems noticed."""
        test = run.failed.nodeid
        if time.monotonic() - self.sound_at.get(test, -SOUND_S) < SOUND_S:
            return True
        again = Run("", run.items[: run.place + 1])
        _, status = os.waitpid(again.start(session), 0)
        again.folder.cleanup()
        if status == 0:
            self.sound_at[test] = time.monotonic()
            return True
        print(f"FAILS WITH NOTHING CHANGED: {again.failed.nodeid}", flush=True)
        self.unsound.add(again.failed.nodeid)
        return False


@dataclass
class Run:
    """Tests on a mutant, or with nothing changed, in a fork with a folder of its own for what they write."""

    mutant: str
    items: list[pytest.Item]
    failed_at: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, 4))
    folder: TemporaryDirectory[str] = field(default_factory=TemporaryDirectory)

    @property
    def place(self) -> int:
        return int.from_bytes(self.failed_at[:4])

    @property
    def failed(self) -> pytest.Item:
        return self.items[self.place]

    def start(self, session: pytest.Session) -> int:
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
            os.environ.update(MUTANT_UNDER_TEST=self.mutant, PYTEST_DEBUG_TEMPROOT=self.folder.name)
            code = 0
            for place, (item, following) in enumerate(pairwise((*self.items, None))):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)  # type: ignore[union-attr]
                if session.testsfailed:
                    code, self.failed_at[:4] = 1, place.to_bytes(4)
                    break
        finally:
            os._exit(code)


def _all_mutants() -> Iterator[str]:
    for path in sorted(Path("chalicelib").rglob("*.meta")):
        yield from json.loads(path.read_text())["exit_code_by_key"]


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
