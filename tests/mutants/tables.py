"""The tables that decide about money and states, and how an entry of each can be wrong.

mutmut leaves tables alone, so each entry is changed here: to every other value of its table, and away; of a row each column
in turn. Members of a set are taken out, and what it might hold besides is put in; a number is made greater and less.
`EQUIVALENT` are the changes that nobody could notice, with the reason.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, MutableMapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import partial
from importlib import import_module
from types import FunctionType
from typing import Any

from chalicelib.domain.facts import RISING, DeclineClass, Kind, State

STANDING = ("tests/domain/test_standing.py",)
FACTS = ("tests/domain/test_facts.py",)
OPERATION = ("tests/domain/test_operation.py",)
WATCH = ("tests/domain/test_watch.py",)
SANDBOX = ("tests/connectors/sandbox/test_facts.py",)
UNSURE = ("tests/services/test_proof.py",)
RESOLVED = ("tests/services/test_amounts.py::test_an_operator", "tests/services/test_resolutions.py::test_a_refused")
OFFERS = tuple(f"tests/services/test_{verb}.py::test_a_connector" for verb in ("captures", "refunds", "cancellations"))
ONWARD = ("tests/routing/test_onward.py",)
RULES = tuple(f"tests/routing/test_{name}.py" for name in ("guide", "fields", "rules", "engine", "sets"))
SETS = ("tests/routing/test_sets.py",)
HEALTH = ("tests/routing/test_health.py",)
EXECUTE = (
    "tests/services/test_proof.py",
    "tests/services/test_unknown_operations.py::test_each_kind",
    "tests/services/test_execute.py::test_a_no_that_is",
)


@dataclass(frozen=True)
class Table:
    """`tests` are those of which one must fail, the likeliest first. `might_hold` is what a set could be wrong by."""

    module: str
    name: str
    tests: tuple[str, ...]
    might_hold: Collection[Any] = ()
    otherwise: Any = None  # what an entry that is not there means: leaving such a one away changes nothing

    @property
    def value(self) -> Any:
        return getattr(import_module(self.module), self.name)


@dataclass(frozen=True)
class Change:
    """One wrong entry; `apply` makes it in this process."""

    table: Table
    what: str
    apply: Callable[[], None]

    @property
    def label(self) -> str:
        return f"{self.table.module.rpartition('.')[2]}.{self.table.name}: {self.what}"


def _called() -> Collection[Any]:
    return tuple(import_module("chalicelib.domain.operation").Called)


def _phases() -> Collection[Any]:
    return tuple(import_module("chalicelib.domain.watch").Phase)


def _outcomes() -> Collection[Any]:
    return tuple(import_module("chalicelib.routing.onward").Outcome)


MONEY_KINDS = (Kind.AUTHORIZATION, Kind.RELEASE, Kind.CAPTURE, Kind.REFUND, Kind.DISPUTE)  # the others have no amount
MAY_SUCCEED = MONEY_KINDS[:-1]  # a dispute is won or lost
FACT_STATES = tuple((kind, state) for kind, states in RISING.items() for state in states)
BY_MODULE: dict[str, tuple[tuple[Any, ...], ...]] = {
    "domain.facts": (("_RANK", FACTS),),
    "domain.standing": (
        ("_CHECKOUT_END", STANDING),
        ("_CLOSED", STANDING),
        ("_PROGRESS", STANDING),
        ("_PROCESSING", STANDING, FACT_STATES),
        ("_RESERVES", STANDING),
    ),
    "domain.operation": (
        ("_RANK", OPERATION),
        ("NEVER_HAPPENED", ("tests/services/test_proof.py",), _called()),
        ("UNSURE", UNSURE, _called()),
        ("MOVEMENT", OPERATION),
        ("_SAID", OPERATION),
        ("_BY_CALL", OPERATION),
    ),
    "domain.money": (("EXPONENT", ("tests/domain/test_money.py",)),),
    "domain.watch": (
        ("ASK_AFTER_S", WATCH),
        ("UNREACHED_AFTER_S", WATCH),
        ("MUST_SETTLE", WATCH, _phases()),
    ),
    "domain.errors": (("STATUS_OF", ("tests/api/test_problems.py::test_every_error",)),),
    "domain.fold": (("_EXACT", STANDING, MAY_SUCCEED),),
    "domain.amend": (("_OPERATION_OF", ("tests/domain/test_amend.py::test_what_somebody",)),),
    "domain.emit": (
        ("_TOLD_OF_OPERATIONS", ("tests/domain/test_emit.py",)),
        ("_WHOSE", ("tests/domain/test_emit.py",)),
    ),
    "routing.onward": (
        ("NEXT", ONWARD),
        ("FIXED", ONWARD, _outcomes()),
        ("_OF_CLASS", ONWARD),
        ("_OF_REASON", ONWARD),
    ),
    "routing.fields": (("FIELDS", RULES), ("OPERATORS", RULES)),
    "routing.sets": (("_OPPOSITE", SETS), ("_ORDERED", SETS), ("_BOUNDS", SETS)),
    "routing.health": (
        ("COOL_DOWN_S", HEALTH),
        ("LATENCIES_MS", HEALTH),
        *((name, HEALTH) for name in ("BUCKET_S", "BUCKETS", "SLOW_MS", "IN_A_ROW", "SHARE", "SHARE_CALLS")),
        *((name, HEALTH) for name in ("PROBES", "PROBE_LEASE_S")),
    ),
    "connectors.sandbox.facts": (
        ("CHECKOUT_STATE", SANDBOX, (), State.OPEN),
        ("MOVEMENT_STATE", SANDBOX, (), State.PENDING),
        ("_MONEY_STATE", SANDBOX),
        ("_HELD", SANDBOX, ("captured", "failed")),
        ("TRY_STATE", SANDBOX, (), State.PENDING),
        ("DISPUTE_STATE", SANDBOX, (), State.INQUIRY),
        ("DECLINE_OF", SANDBOX, (), (DeclineClass.SOFT, "declined")),
    ),
    "services.deliver": (("RETRY_AFTER_S", ("tests/services/test_notify.py::test_failures_follow",)),),
    "services.execute": (("PSP_OPERATION", EXECUTE), ("_REFUSED_AS", EXECUTE)),
    "services.reserve": (("CAPABILITY", OFFERS),),
    "services.resolve": (("_MOVES", RESOLVED, MAY_SUCCEED),),
}
TABLES = tuple(Table(f"chalicelib.{module}", *row) for module, rows in BY_MODULE.items() for row in rows)

EQUIVALENT: dict[str, str] = {}


def changes_of(table: Table) -> Iterator[Change]:
    """Every change of one entry."""
    value = table.value
    if isinstance(value, int | float):
        for other in map(type(value), (value + 1, value / 2)):
            yield Change(table, f"is {other}", partial(_rebind, table, other))
    elif table.name == "_RANK":
        yield from _swaps(table, value)
    elif isinstance(value, MutableMapping):
        for key, held in value.items():
            yield from _entry_changes(table, value, key, held)
    elif isinstance(value, set | frozenset):
        for member in sorted(value | set(table.might_hold)):
            word = "without" if member in value else "with"
            yield Change(table, f"{word} {_text(member)}", partial(_rebind, table, value ^ {member}))
    else:
        for place in range(len(value)):
            for what, changed in _tuple_changes(value, place):
                yield Change(table, what, partial(_rebind, table, changed))


def _entry_changes(table: Table, known: MutableMapping[Any, Any], key: Any, held: Any) -> Iterator[Change]:
    if held != table.otherwise:
        yield Change(table, f"no {_text(key)}", partial(known.__delitem__, key))
    if table.name == "ASK_AFTER_S":
        for place in range(len(held)):
            for what, changed in _tuple_changes(held, place):
                yield Change(table, f"{_text(key)}: {what}", partial(known.__setitem__, key, changed))
        yield Change(table, f"{_text(key)}: one more", partial(known.__setitem__, key, (*held, 60)))
        return
    if is_dataclass(held):
        for what, changed in _row_changes(known, held):
            yield Change(table, f"{_text(key)}: {what}", partial(known.__setitem__, key, changed))
        return
    for other in _others(known.values(), held):
        place = next((one for one, value in known.items() if value is other), None)
        what = f"as {_text(place)}" if isinstance(other, FunctionType | type) else _text(other)
        yield Change(table, f"{_text(key)} is {what}", partial(known.__setitem__, key, other))


def _row_changes(known: MutableMapping[Any, Any], row: Any) -> Iterator[tuple[str, Any]]:
    """Each column that it fills in as another row has it; a flag is turned."""
    for column in fields(row):
        held = getattr(row, column.name)
        if held == column.default and held is not False:
            continue
        other = next((key for key, one in known.items() if getattr(one, column.name) != held), None)
        if other is not None:
            changed = replace(row, **{column.name: getattr(known[other], column.name)})
            yield f"{column.name} as {_text(other)}", changed


def _others(values: Collection[Any], held: Any) -> list[Any]:
    """What else an entry could be: any other value of its table; of numbers one of them, and the next number."""
    others = list(dict.fromkeys(value for value in values if value != held))
    return list(dict.fromkeys([held + 1, *others[:1]])) if type(held) is int else others


def _tuple_changes(known: tuple[Any, ...], place: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """An element that is missing, one that is greater (of numbers), and one that changes places with the next."""
    element, before, after = known[place], known[:place], known[place + 1 :]
    yield f"no {place}th", before + after
    if isinstance(element, int | float):
        yield f"{place}th is longer", (*before, element + 1, *after)
    elif isinstance(element, tuple):
        for other in _others([one[1] for one in known], element[1]):
            yield f"{_text(element[0])} is {_text(other)}", (*before, (element[0], other), *after)
        if after:
            yield f"{_text(element[0])} after the next", (*before, after[0], element, *after[1:])


def _swaps(table: Table, ranks: MutableMapping[Any, int]) -> Iterator[Change]:
    """Two that follow each other in one order, the other way round."""
    for one, rank in ranks.items():
        for other, higher in ranks.items():
            if higher == rank + 1 and (not isinstance(one, tuple) or one[0] is other[0]):
                swap = partial(ranks.update, {one: higher, other: rank})
                yield Change(table, f"{_text(one)} after {_text(other)}", swap)


def _rebind(table: Table, changed: Any) -> None:
    """Puts another value wherever this one was imported."""
    known = table.value
    for module in list(sys.modules.values()):
        for name, value in list(vars(module).items()) if hasattr(module, "__dict__") else ():
            if value is known and (name == table.name or not isinstance(known, int | float)):
                setattr(module, name, changed)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "/".join(_text(one) for one in value)
    if isinstance(value, Enum):
        return str(value.value)
    return value.__name__ if isinstance(value, type) else str(value)
