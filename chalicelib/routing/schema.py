"""The JSON Schema of a test in a rule, made of the tables of fields and operators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chalicelib.routing.fields import FIELDS, OPERATORS, TEXT_MAX, VALUES_MAX, Field, Takes, Type, field_of

METADATA_PATTERN = r"^metadata\.[\s\S]{1,40}$"


def tests_schema() -> Iterator[dict[str, Any]]:
    """One form for each field and kind of value that its operators take."""
    for field in FIELDS.values():
        yield from _forms(field, {"const": field.name, "description": field.meaning})
    metadata = field_of("metadata.channel")
    assert metadata is not None, "metadata is a field by its prefix"
    yield from _forms(metadata, {"type": "string", "pattern": METADATA_PATTERN, "description": metadata.meaning})


def _forms(field: Field, name: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for takes in Takes:
        names = [one.name for one in OPERATORS.values() if one.takes is takes and field.type in one.types]
        if names:
            parts = {"field": name, "op": {"enum": names}, "value": _value(field, takes)}
            yield {"properties": parts, "required": list(parts)}


def _value(field: Field, takes: Takes) -> dict[str, Any]:
    one: dict[str, Any] = {"type": field.type.replace("text", "string")}
    if field.type is Type.INTEGER:
        one |= {"minimum": field.least, "maximum": field.most}
    elif field.known:
        one["enum"] = sorted(field.known)
    else:
        one |= {"minLength": 1, "maxLength": TEXT_MAX}
        if field.pattern:
            one["pattern"] = f"^{field.pattern}$"
    return {
        Takes.ONE: one,
        Takes.LIST: {"type": "array", "items": one, "minItems": 1, "maxItems": VALUES_MAX},
        Takes.PAIR: {"type": "array", "items": one, "minItems": 2, "maxItems": 2},
        Takes.PREFIX: _beginning(field),
        Takes.FLAG: {"type": "boolean"},
    }[takes]


def _beginning(field: Field) -> dict[str, Any]:
    form: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": TEXT_MAX}
    if field.known:
        return form | {"enum": sorted({one[:end] for one in field.known for end in range(1, len(one) + 1)})}
    pattern = field.beginning or field.pattern
    return form | {"pattern": f"^{pattern}$"} if pattern else form
