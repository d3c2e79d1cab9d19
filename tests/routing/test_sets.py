"""The linter's sets hold exactly the values that pass a test: held against the tests themselves."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.routing.boxes import Box, boxes_of, finer, known, within
from chalicelib.routing.engine import test_of as ready
from chalicelib.routing.fields import OPERATORS, Field, Inputs, Takes, Type, inputs_of
from chalicelib.routing.sets import Numbers, Texts, Values, all_of, others_of, values_of
from tests.routing.strategies import ASKED, NUMBERS, TEXTS, conditions, orders, single_tests, times

PROBES: dict[str, list[Any]] = {
    **{name: [*texts, texts[0][:2], texts[0] + "x", "zz"] for name, texts in TEXTS.items()},
    **{name: list(range(least, most + 1)) for name, (least, most) in NUMBERS.items()},
    "currency": ["EUR", "USD", "JPY", "GBP", "USN"][:4],
}


def has(values: Values, value: Any) -> bool:
    if value is None:
        return values.missing
    if isinstance(values, Numbers):
        return any(a <= value <= b for a, b in values.spans)
    return values.has(value)


def inside(box: Box, seen: Inputs) -> bool:
    return all(has(values, seen.get(name)) for name, values in box.items())


@given(single_tests())
def test_a_set_holds_what_passes_and_its_opposite_the_rest(when: dict[str, Any]) -> None:
    field, test = known(when["field"]), ready(when)
    passing, others = (of(field, when["op"], when["value"]) for of in (values_of, others_of))
    for value in PROBES[field.name]:
        passes = test({field.name: value})
        assert (has(passing, value), has(others, value)) == (passes, not passes), value
    if not field.always:
        assert (passing.missing, others.missing) == (test({}), not test({}))


DIGITS, WORDS = range(2, 7), ["a", "ab", "b", "c"]


def small(kind: Type, *, always: bool, named: bool = False) -> Field:
    """A field of few values, so that all can be looked at; `named` texts are all known."""
    known_words = frozenset(WORDS) if named else frozenset[str]()
    return Field("small", kind, "", lambda *_: None, always=always, least=2, most=6, known=known_words)


def each_test(field: Field) -> list[tuple[str, Any]]:
    values: list[Any] = list(DIGITS) if field.type is Type.INTEGER else [*WORDS]
    wanted: dict[Takes, list[Any]] = {
        Takes.ONE: values,
        Takes.LIST: [*([one, other] for one, other in product(values, values)), values],
        Takes.PAIR: [[one, other] for one, other in product(values, values) if one <= other],
        Takes.PREFIX: [*WORDS, "abc", "zz"],
        Takes.FLAG: [True, False],
    }
    return [(one.name, value) for one in OPERATORS.values() if field.type in one.types for value in wanted[one.takes]]


SMALL = [
    small(Type.INTEGER, always=True),
    small(Type.INTEGER, always=False),
    small(Type.TEXT, always=True, named=True),
    small(Type.TEXT, always=False, named=True),
    small(Type.TEXT, always=True),
    small(Type.TEXT, always=False),
]


@pytest.mark.parametrize("field", SMALL, ids=lambda one: f"{one.type}-{one.always}-{len(one.known)}")
def test_of_few_values_each_test_has_exactly_those_that_pass(field: Field) -> None:
    present: list[Any] = list(DIGITS) if field.type is Type.INTEGER else [*WORDS]
    for op, value in each_test(field):
        test = OPERATORS[op].test_of(field.name, value)
        passing, others = values_of(field, op, value), others_of(field, op, value)
        for one in present:
            passes = test({field.name: one})
            assert (has(passing, one), has(others, one)) == (passes, not passes), (op, value, one)
        passes = test({})
        expected = (False, False) if field.always else (passes, not passes)
        assert (passing.missing, others.missing) == expected, (op, value)


@pytest.mark.parametrize("field", SMALL, ids=lambda one: f"{one.type}-{one.always}-{len(one.known)}")
def test_what_two_sets_share_lies_within_both_and_each_within_all(field: Field) -> None:
    everything: Any = all_of(field)
    sets: list[Any] = list({of(field, *test) for test in each_test(field) for of in (values_of, others_of)})
    for one, other in product([everything, *sets], sets):
        assert (one & other).within(one)
        assert (one & other).within(other)
        assert other.within(everything)
        assert everything & other == other


@pytest.mark.parametrize("field", SMALL, ids=lambda one: f"{one.type}-{one.always}-{len(one.known)}")
def test_a_sets_parts_are_apart_and_together_the_set(field: Field) -> None:
    present: list[Any] = [None, *(DIGITS if field.type is Type.INTEGER else WORDS)]
    for one in (all_of(field), *(of(field, *test) for test in each_test(field) for of in (values_of, others_of))):
        held = [[value for value in present if has(part, value)] for part in one.singles()]
        assert sorted(map(str, (value for part in held for value in part))) == sorted(
            str(value) for value in present if has(one, value)
        )
        assert [None] in held or not one.missing


def test_all_of_a_field_is_what_payments_may_have() -> None:
    assert [all_of(one) for one in SMALL] == [
        Numbers(((2, 6),), False),
        Numbers(((2, 6),), True),
        Texts(frozenset(WORDS), False),
        Texts(frozenset(WORDS), True),
        Texts(None, False),
        Texts(None, True),
    ]


def test_texts_of_one_beginning_lie_within_those_that_bar_another() -> None:
    def barring(beginning: str) -> Texts:
        return Texts(None, True, barred=frozenset({beginning}))

    web = Texts(None, False, prefixes=frozenset({"web"}))
    assert [web.within(barring(one)) for one in ("app", "webview", "we", "web")] == [True, False, False, False]
    assert barring("web").within(barring("webview"))
    assert not barring("webview").within(barring("web"))


def test_texts_that_are_listed_are_parts_of_one_each() -> None:
    words = values_of(SMALL[4], "in", ["b", "a"])
    assert words.singles() == [values_of(SMALL[4], "eq", "a"), values_of(SMALL[4], "eq", "b")]
    spans = values_of(SMALL[0], "in", [6, 2])
    assert spans.singles() == [values_of(SMALL[0], "eq", 2), values_of(SMALL[0], "eq", 6)]


@pytest.mark.parametrize("field", SMALL[:4], ids=lambda one: f"{one.type}-{one.always}-{len(one.known)}")
def test_of_few_values_what_is_empty_and_what_lies_within_is_known_exactly(field: Field) -> None:
    present: list[Any] = [None, *(DIGITS if field.type is Type.INTEGER else WORDS)]
    sets = list({all_of(field), *(of(field, *test) for test in each_test(field) for of in (values_of, others_of))})
    held = {one: {value for value in present if has(one, value)} for one in sets}
    for one, other in product(sets, sets):
        both = one & other  # type: ignore[operator]
        assert {value for value in present if has(both, value)} == held[one] & held[other]
        assert both.empty is (not held[one] & held[other])
        if one.within(other):  # type: ignore[arg-type]
            assert held[one] <= held[other]


@given(conditions(), orders(), times())
def test_a_payment_passes_a_condition_exactly_if_it_lies_in_a_box(when: dict[str, Any], order: Any, at: Any) -> None:
    seen = inputs_of(order, at)
    assert any(inside(box, seen) for box in boxes_of(when)) is ready(when)(seen)
    assert any(inside(box, seen) for box in boxes_of(when, holds=False)) is not ready(when)(seen)


def _values(draw: st.DrawFn, name: str) -> Values:
    """What is left of a field after a few tests of it."""
    field, found = known(name), None
    for when in draw(st.lists(single_tests(name), min_size=1, max_size=3)):
        values = draw(st.sampled_from([values_of, others_of]))(field, when["op"], when["value"])
        found = values if found is None else found & values  # type: ignore[operator]
    assert found is not None
    return found


@given(st.data(), st.sampled_from(ASKED))
def test_an_empty_set_lets_nothing_through(data: st.DataObject, name: str) -> None:
    values = data.draw(st.composite(_values)(name))
    if values.empty:
        assert not any(has(values, one) for one in [None, *PROBES[name]])


@given(st.data(), st.sampled_from(ASKED))
def test_what_lies_within_another_set_has_only_its_values(data: st.DataObject, name: str) -> None:
    one, other = data.draw(st.composite(_values)(name)), data.draw(st.composite(_values)(name))
    if one.within(other):  # type: ignore[arg-type]
        assert all(has(other, value) for value in [None, *PROBES[name]] if has(one, value))


@given(conditions(), orders(), times())
def test_a_boxs_parts_are_the_box(when: Any, order: Any, at: Any) -> None:
    seen = inputs_of(order, at)
    for box in boxes_of(when):
        assert any(inside(part, seen) for part in finer(box)) is inside(box, seen)


@given(conditions(), conditions(), orders(), times())
def test_a_box_within_another_has_only_its_payments(one: Any, other: Any, order: Any, at: Any) -> None:
    seen = inputs_of(order, at)
    for box in boxes_of(one):
        for around in boxes_of(other):
            if within(box, around) and inside(box, seen):
                assert inside(around, seen)
