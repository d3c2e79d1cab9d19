"""The linter's sets hold exactly the values that pass a test: held against the tests themselves."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.routing.boxes import Box, boxes_of, finer, known, within
from chalicelib.routing.engine import test_of as ready
from chalicelib.routing.fields import Inputs, inputs_of
from chalicelib.routing.sets import Numbers, Values, others_of, values_of
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
