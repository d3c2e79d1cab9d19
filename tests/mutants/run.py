"""Mutants of what `[tool.mutmut]` in pyproject.toml names, and how many of them the tests notice.

    python -m tests.mutants.run                                 everything
    python -m tests.mutants.run chalicelib.domain.fold ...      modules or functions whose names begin so

mutmut makes the mutants and finds out which tests come through which function; tests/mutants/each.py runs these tests, for
each mutant in a fork of a process that has collected them, which is many times faster than mutmut's own way. What no test
notices is printed with the change it makes. Ends with 1 where fewer than 95 of 100 mutants of a module are noticed.
docs/mutants.md says more, and lists what survives.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mutmut.__main__ import cli
from mutmut.mutation.diff_apply import get_diff_for_mutant

ROOT = Path(__file__).parents[2]
SURVIVES = "SURVIVES: "
FEW = "chalicelib.domain.payment.*"  # mutmut runs these itself, and makes all


def main() -> int:
    os.chdir(ROOT)
    if not hasattr(pytest.Item, "_nodeid"):  # mutmut 3.8 reads a name that pytest 9.2 no longer has
        pytest.Item._nodeid = property(lambda item: item.nodeid)  # type: ignore[attr-defined]
    try:
        cli(["run", "--max-children", "2", FEW], standalone_mode=False)
    except SystemExit as ended:
        if ended.code:
            return int(ended.code)
    command = [sys.executable, "-m", "tests.mutants.each", *sys.argv[1:]]
    environment = {**os.environ, "MUTANT_UNDER_TEST": "", "PYTHONPATH": str(ROOT / "mutants")}
    with subprocess.Popen(command, cwd=ROOT / "mutants", env=environment, stdout=subprocess.PIPE, text=True) as each:
        for line in each.stdout or ():
            print(line, end="", flush=True)
            if line.startswith(SURVIVES):
                print(_change(line.removeprefix(SURVIVES).strip()), flush=True)
    return each.returncode


def _change(mutant: str) -> str:
    """The lines that differ, as they are and as the mutant has them."""
    lines = get_diff_for_mutant(mutant).splitlines()
    return "\n".join(line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---"))


if __name__ == "__main__":
    sys.exit(main())
