"""Plants bugs that payment servers have had into a copy of the code, one at a time, and shows which tests catch each.

    python -m tests.faults.planted            all of them
    python -m tests.faults.planted join       those with this word in their name

Ends with 1 where a bug survives, or where the tests fail with none planted.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("chalicelib", "dev", "infra", "server", "tests", "docs", "app.py", "pyproject.toml", "Makefile", "README.md")
SHOWN_MAX = 4


@dataclass(frozen=True)
class Edit:
    """One text of one file of `chalicelib`, which must be there exactly once, and what it becomes."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Bug:
    """`tests` are those that should catch it, as pytest is told them."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


CHAIN, EMIT, FACTS = "services/try_chain.py", "domain/emit.py", "domain/facts.py"
CHANGE, STANDING, INTAKE = "domain/change.py", "domain/standing.py", "services/intake.py"
MAY_SEAL = 'return tried.unanswered and untouched and inert and payment.route.unanswered == "next"'
SHOWS_FOUND = "action = attempt.action or (found.action if attempt.closed is None else None)"
FORGETS = "action=None if closed else attempt.action"
RACES = "tests/faults/test_interleavings.py"
ORDERS = ("tests/domain/test_fold.py", "tests/faults/test_permutations.py")
CHECKOUTS = ("tests/services/test_checkout.py", "tests/services/test_sealing.py")

BUGS = (
    Bug(
        "fallback although the route says hold",
        (Edit(CHAIN, MAY_SEAL, "return tried.unanswered and untouched and inert"),),
        CHECKOUTS,
    ),
    Bug(
        "fallback from a connector that is not inert",
        (Edit(CHAIN, MAY_SEAL, MAY_SEAL.replace(" and inert", "")),),
        CHECKOUTS,
    ),
    Bug(
        "a sealed address is released when it is found later",
        (Edit(CHANGE, SHOWS_FOUND, "action = attempt.action or found.action"),),
        CHECKOUTS,
    ),
    Bug(
        "a sealed address is kept",
        (Edit(CHANGE, FORGETS, "action=attempt.action"),),
        CHECKOUTS,
    ),
    Bug(
        "refunds are checked without what is reserved",
        (Edit(STANDING, "self.captured - self.refunded - self.reserved_refunds", "self.captured - self.refunded"),),
        (RACES, "tests/services/test_refunds.py"),
    ),
    Bug(
        "captures are checked without what is reserved",
        (Edit(STANDING, "max(self.held - self.reserved_captures, 0)", "self.held"),),
        (RACES, "tests/services/test_captures.py"),
    ),
    Bug(
        "a last capture reserves its own amount alone",
        (Edit(STANDING, "held if _ends(mine, operations) else _reserved(", "_reserved("),),
        (RACES, "tests/domain/test_fold.py"),
    ),
    Bug(
        "an event is not put in the outbox",
        (Edit(EMIT, "outbox = after.outbox + events", "outbox = after.outbox"),),
        ("tests/domain/test_amend.py", "tests/services/test_notify.py", "tests/faults/test_orders.py"),
    ),
    Bug(
        "an event is dropped from the outbox before it is delivered",
        (
            Edit(
                "services/attend.py",
                "if all(delivery_id_of(event.id, one.id) in recorded for one in wanted):",
                "if wanted:",
            ),
        ),
        ("tests/services/test_checkout.py", "tests/faults/test_kills.py"),
    ),
    Bug(
        "the join takes the last write instead of the greater fact",
        (Edit(FACTS, "greater = max(one, other, key=_order)", "greater = other"),),
        ORDERS,
    ),
    Bug(
        "the join decides a tie by arrival",
        (Edit(FACTS, "(amount.value, amount.currency)", "(amount.currency,)"),),
        ORDERS,
    ),
    Bug(
        "the join forgets an operation's id",
        (Edit(FACTS, 'max(one.operation_id or "", other.operation_id or "") or None', "other.operation_id"),),
        ORDERS,
    ),
    Bug(
        "an unsigned webhook is accepted by the connector",
        (Edit("connectors/sandbox/signature.py", "def check(", "def check(*_: object) -> None: ...\n\n\ndef _check("),),
        ("tests/conformance/test_live_psp.py",),
    ),
    Bug(
        "a forged webhook is queued as verified",
        (Edit(INTAKE, "self._reject(live, replace(delivery, headers=kept(delivery.headers)), error)\n", "pass\n"),),
        ("tests/services/test_webhooks.py",),
    ),
    Bug(
        "an unverified webhook is applied without a look",
        (
            Edit(
                "services/apply.py", "if not verified:\n            self._verify", "if False:\n            self._verify"
            ),
        ),
        ("tests/services/test_webhooks.py",),
    ),
    Bug(
        "a webhook that waited is applied whatever its method was",
        (Edit("services/apply.py", "check_method(delivery, live.connector)\n", "pass\n"),),
        ("tests/services/test_callbacks.py",),
    ),
    Bug(
        "a webhook that waited has lost its query",
        (Edit(INTAKE, 'str(document.get("query", ""))', '""'),),
        ("tests/services/test_callbacks.py",),
    ),
    Bug(
        "what fails after a money call is taken for proof that nothing was sent",
        (
            Edit(
                "outbound/driver.py",
                "if moved and not isinstance(error, OutcomeUnknown) else error",
                "if False else error",
            ),
        ),
        ("tests/outbound/test_driver_calls.py",),
    ),
    Bug(
        "the status is folded from the latest fact",
        (
            Edit(
                "domain/amend.py",
                "    folded = fold(after)\n    policy",
                "    folded = fold(replace(after, facts=change.facts or after.facts))\n    policy",
            ),
        ),
        (*ORDERS, "tests/domain/test_amend.py"),
    ),
    Bug(
        "an operation is called for a second time where it must be read",
        (
            Edit(
                "services/execute.py",
                "return self._now < self._repeatable_until()",
                "return True",
            ),
        ),
        ("tests/services/test_unknown_operations.py",),
    ),
    Bug(
        "a decline that answers a repeat counts",
        (
            Edit(
                "services/open_attempt.py",
                "if tries + before > 1 and isinstance(said, Refusal):",
                "if tries + before > 1 and isinstance(said, Refusal) and said.decline is None:",
            ),
        ),
        ("tests/services/test_declined_repeats.py",),
    ),
    Bug(
        "an operator's acceptance lets everything stay",
        (
            Edit(
                "domain/late.py",
                "if attempt.id in over:\n",
                "if attempt.id in over or decided.get(attempt.id) == ACCEPT:\n",
            ),
            Edit("domain/late.py", "return decided.get(attempt.id) == ACCEPT, not", "return False, not"),
        ),
        ("tests/domain/test_let_stay.py", "tests/services/test_surplus.py"),
    ),
    Bug(
        "not found proves absence at once",
        (Edit("services/ask.py", "ABSENT_AFTER_S = 900", "ABSENT_AFTER_S = 0"),),
        ("tests/services/test_checkout.py", "tests/services/test_unknown_operations.py"),
    ),
    Bug(
        "the audit entry does not ride along",
        (
            Edit(
                "services/resolve.py",
                "with_draft(self._resolved(newest, said, actor), draft)",
                "self._resolved(newest, said, actor)",
            ),
        ),
        ("tests/faults/test_kills.py",),
    ),
)


def plant(tree: Path, bug: Bug) -> dict[Path, str]:
    """Edits the copy; the former texts, to be put back."""
    former: dict[Path, str] = {}
    for edit in bug.edits:
        path = tree / "chalicelib" / edit.file
        text = path.read_text()
        former.setdefault(path, text)
        assert text.count(edit.old) == 1, f"{bug.name}: {edit.file} has {text.count(edit.old)} times {edit.old!r}"
        path.write_text(text.replace(edit.old, edit.new))
    return former


def failures(tree: Path, tests: tuple[str, ...]) -> list[str]:
    """The tests that fail there; a run that comes to no end counts as one."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "--maxfail=12", "-m", "not long", "-rfE", *tests]
    ended = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    found = re.findall(r"^(?:FAILED|ERROR) \S*?::(.+?)(?: - .*)?$", ended.stdout, re.MULTILINE)
    if ended.returncode not in (0, 1) and not found:
        raise RuntimeError(ended.stdout + ended.stderr)
    return found


def copied(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        elif source.exists():
            shutil.copy(source, folder / name)
    return folder


def main() -> int:
    wanted = [bug for bug in BUGS if all(word in bug.name for word in sys.argv[1:])]
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = copied(Path(folder))
        everything = tuple(dict.fromkeys(test for bug in wanted for test in bug.tests))
        sound = failures(tree, everything)
        print(f"none planted: {', '.join(sound) or 'all tests pass'}", flush=True)
        for bug in wanted:
            former = plant(tree, bug)
            caught = failures(tree, bug.tests)
            for path, text in former.items():
                path.write_text(text)
            survived += not caught
            shown = ", ".join(dict.fromkeys(name.partition("[")[0] for name in caught[:SHOWN_MAX]))
            print(f"{bug.name}: {f'{len(caught)} tests fail: {shown}' if caught else 'SURVIVES'}", flush=True)
    print(f"{len(wanted) - survived} of {len(wanted)} bugs were caught")
    return int(bool(sound) or survived > 0)


if __name__ == "__main__":
    sys.exit(main())
