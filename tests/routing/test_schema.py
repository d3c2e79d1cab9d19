"""The forms that the served schema has for a condition."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.routing.fields import FIELDS, field_of
from chalicelib.routing.rules import RouteBody
from chalicelib.routing.schema import tests_schema as forms

COUNTRY = {"type": "string", "minLength": 1, "maxLength": 500, "pattern": "^[A-Z]{2}$"}
AMOUNT = {"type": "integer", "minimum": 1, "maximum": 10**12}
CHANNEL = {"type": "string", "minLength": 1, "maxLength": 500}
CURRENCY = {"type": "string", "enum": sorted(FIELDS["currency"].known)}
PREFIX = {"type": "string", "minLength": 1, "maxLength": 500}
BEGINNINGS: dict[str, dict[str, Any]] = {
    "country": {**PREFIX, "pattern": "^[A-Z]{1,2}$"},
    "currency": {**PREFIX, "enum": sorted({one[:end] for one in FIELDS["currency"].known for end in (1, 2, 3)})},
    "locale": {**PREFIX, "pattern": "^[A-Za-z0-9-]{1,35}$"},
    "metadata.channel": PREFIX,
}
LOCALE = {"type": "string", "minLength": 1, "maxLength": 500, "pattern": "^[A-Za-z0-9-]{1,35}$"}


def several(one: dict[str, Any], least: int = 1, most: int = 100) -> dict[str, Any]:
    return {"type": "array", "items": one, "minItems": least, "maxItems": most}


@pytest.mark.parametrize(
    ("field", "values"),
    [
        (
            "amount",
            {
                ("eq", "ne", "lt", "lte", "gt", "gte"): AMOUNT,
                ("in", "not_in"): several(AMOUNT),
                ("between",): several(AMOUNT, 2, 2),
                ("exists",): {"type": "boolean"},
            },
        ),
        *(
            (
                name,
                {
                    ("eq", "ne"): one,
                    ("in", "not_in"): several(one),
                    ("starts_with",): BEGINNINGS[name],
                    ("exists",): {"type": "boolean"},
                },
            )
            for name, one in (
                ("country", COUNTRY),
                ("currency", CURRENCY),
                ("locale", LOCALE),
                ("metadata.channel", CHANNEL),
            )
        ),
    ],
)
def test_a_field_has_one_form_for_each_kind_of_value(field: str, values: dict[tuple[str, ...], Any]) -> None:
    known = field_of(field)
    assert known is not None
    name: dict[str, Any] = {"const": field, "description": known.meaning}
    if field not in FIELDS:
        name = {"type": "string", "pattern": r"^metadata\.[\s\S]{1,40}$", "description": known.meaning}
    assert [one for one in forms() if one["properties"]["field"] == name] == [
        {
            "properties": {"field": name, "op": {"enum": list(ops)}, "value": value},
            "required": ["field", "op", "value"],
        }
        for ops, value in values.items()
    ]


def test_a_condition_is_one_of_the_tests_or_conditions_joined() -> None:
    schema = RouteBody.model_json_schema()["$defs"]["Condition"]
    itself = {"$ref": "#/$defs/Condition"}
    joined = {"type": "array", "items": itself, "minItems": 1, "maxItems": 20}
    parts = [
        *forms(),
        {"properties": {"all": joined}, "required": ["all"]},
        {"properties": {"any": joined}, "required": ["any"]},
        {"properties": {"not": itself}, "required": ["not"]},
    ]
    assert schema.pop("description").startswith("Either a test of one field")
    assert schema == {
        "title": "Condition",
        "type": "object",
        "oneOf": [{"type": "object", "additionalProperties": False, **one} for one in parts],
    }
