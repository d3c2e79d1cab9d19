"""Tasks in processes of their own, forked from the warm test process and let go together."""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Callable

BROKEN = 255


def fork(task: Callable[[], int]) -> int:
    """The pid of a child that runs `task` and ends with its result, or BROKEN, as exit code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about threads: our children only touch what is under test
        pid = os.fork()
    if pid:
        return pid
    code = BROKEN
    try:
        code = task()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def exit_code(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def in_children(count: int, task: Callable[[int], int]) -> list[int]:
    """The exit codes of `count` children that ran `task(number)` side by side."""
    wait, go = os.pipe()

    def child(number: int) -> int:
        os.close(go)
        os.read(wait, 1)  # ends when the parent closes its side
        return task(number)

    pids = [fork(lambda number=number: child(number)) for number in range(count)]  # type: ignore[misc]
    os.close(wait)
    os.close(go)
    codes = [exit_code(pid) for pid in pids]
    assert BROKEN not in codes, "a child failed; its traceback is in the captured output"
    return codes
