"""Runs mutmut over what `[tool.mutmut]` in pyproject.toml names, and says how much of it the tests notice.

    python -m tests.mutants.run                         everything (an hour or so)
    python -m tests.mutants.run "chalicelib.domain.*"   mutants with such names

Ends with 1 where fewer than 95 of 100 mutants of a module are noticed; docs/mutants.md explains those that are left.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

import pytest
from mutmut.__main__ import cli  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
SIDE_BY_SIDE = "2"
NOTICED_MIN = 0.95
NOT_RUN = None  # no exit code: this mutant was not asked for
SURVIVED = (0, 33, 5)  # the tests passed, or none runs the function


def main() -> int:
    names = sys.argv[1:]
    if not hasattr(pytest.Item, "_nodeid"):
        pytest.Item._nodeid = property(lambda item: item.nodeid)  # type: ignore[attr-defined]  # mutmut 3.8 reads pytest 9.1's name
    try:
        cli(["run", "--max-children", SIDE_BY_SIDE, *names], standalone_mode=False)
    except SystemExit as ended:
        if ended.code:
            return int(ended.code)
    return _told(names)


def _told(names: list[str]) -> int:
    poor = False
    for path in sorted(ROOT.glob("mutants/chalicelib/**/*.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        ran = {name: code for name, code in codes.items() if not names or any(fnmatch(name, one) for one in names)}
        ran = {name: code for name, code in ran.items() if code is not NOT_RUN}
        if not ran:
            continue
        survived = sorted(name for name, code in ran.items() if code in SURVIVED)
        share = 1 - len(survived) / len(ran)
        poor |= share < NOTICED_MIN
        module = path.relative_to(ROOT / "mutants").with_suffix("")
        print(f"{module}: {len(ran)} mutants, {len(ran) - len(survived)} noticed ({share:.1%})")
        for name in survived:
            print(f"    survives: {name}")
        print(f"    {dict(Counter(ran.values()))}")
    return int(poor)


if __name__ == "__main__":
    sys.exit(main())
