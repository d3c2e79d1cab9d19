"""Which boxes a condition makes, and how many are looked through."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.routing.boxes import BOXES_MAX, TooMany, boxes_of, finer, size_of, within

NL = {"field": "country", "op": "eq", "value": "NL"}


def of(name: str, *values: str) -> dict[str, Any]:
    return {"field": f"metadata.{name}", "op": "in", "value": list(values)}


def either(*names: str) -> list[dict[str, Any]]:
    return [{"any": [of(name, "a"), of(name, "b")]} for name in names]


def test_64_boxes_are_looked_through_and_no_more() -> None:
    assert len(boxes_of({"all": either(*"abcdef")})) == BOXES_MAX == 64
    with pytest.raises(TooMany):
        boxes_of({"all": either(*"abcdefg")})
    many = [of("x", str(number)) for number in range(65)]
    assert len(boxes_of({"any": many[:64]})) == 64
    with pytest.raises(TooMany):
        boxes_of({"any": many})


def test_what_does_not_hold_is_not_all_and_not_any() -> None:
    both = [NL, of("a", "x")]
    assert len(boxes_of({"not": {"all": both}})) == 2
    assert len(boxes_of({"not": {"any": both}})) == 1
    assert boxes_of({"not": {"any": both}}) == boxes_of({"any": both}, holds=False)


@pytest.mark.parametrize(("values", "parts"), [(1, 1), (2, 2), (64, 64), (65, 1)])
def test_a_box_has_a_part_for_each_of_up_to_64_values(values: int, parts: int) -> None:
    (box,) = boxes_of(of("x", *map(str, range(values))))
    assert len(finer(box)) == parts


def test_parts_are_of_every_field_that_there_is_room_for() -> None:
    (box,) = boxes_of({"all": [of("x", *"abcdefgh"), of("y", *"abcdefghi"), of("z", *"abcdefgh")]})
    assert len(finer(box)) == 64


def test_a_box_lies_within_one_of_fewer_fields_and_not_within_one_of_more() -> None:
    (narrow,) = boxes_of({"all": [NL, of("x", "a")]})
    (wide,) = boxes_of(NL)
    assert (within(narrow, wide), within(wide, narrow), within(narrow, {}), within({}, narrow)) == (
        True,
        False,
        True,
        False,
    )


def test_what_no_payment_has_makes_no_box() -> None:
    assert boxes_of({"field": "hour_of_day", "op": "lt", "value": 0}) == []


def test_what_holds_for_none_of_several_is_what_holds_for_no_single_one() -> None:
    assert boxes_of({"not": {"any": [NL]}}) == boxes_of({"not": NL}) != boxes_of(NL)


def test_there_is_as_much_to_compare_as_values_are_named_and_one() -> None:
    (box,) = boxes_of({"all": [NL, of("x", "a", "b")]})
    assert (size_of({}), size_of(box)) == (1, 4)


@pytest.mark.parametrize(("values", "looked_through"), [(999, True), (1000, False)])
def test_a_box_names_a_thousand_values_of_a_field_at_most(values: int, looked_through: bool) -> None:
    """So many holes in the amounts leave one span more."""
    holes = [2 * number + 2 for number in range(values)]
    parts = [{"field": "amount", "op": "not_in", "value": holes[at : at + 100]} for at in range(0, values, 100)]
    if looked_through:
        assert len(boxes_of({"all": parts})) == 1
    else:
        with pytest.raises(TooMany):
            boxes_of({"all": parts})
