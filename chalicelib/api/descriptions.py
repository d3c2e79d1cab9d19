"""JSON Schemas whose descriptions are the docstrings that stand below a model's fields.

pydantic would read them while each model is made, which takes 60 ms of every cold start. They are wanted where a schema is
shown, and nowhere else.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import ModelSchema


class Described(GenerateJsonSchema):
    """For `schema_generator`."""

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        shown = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        words = _words_of(model)
        for name, field in model.model_fields.items():
            told = shown.get("properties", {}).get(field.alias or name)
            if told is not None and name in words:
                told.setdefault("description", words[name])
        return shown


def _words_of(model: type[BaseModel]) -> dict[str, str]:
    """By field; a subclass's own go before those it inherits."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if issubclass(one, BaseModel) and one is not BaseModel:
            found.update(_own_words(one))
    return found


def _own_words(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    module = inspect.getmodule(model)
    assert module is not None, "a model stands in a module"
    (body,) = (one.body for one in _parsed(module.__name__, inspect.getsource(module)) if one.name == model.__name__)
    for statement, after in pairwise(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            words = _text_in(after)
            if words is not None:
                yield statement.target.id, inspect.cleandoc(words)


@cache
def _parsed(name: str, source: str) -> tuple[ast.ClassDef, ...]:
    return tuple(one for one in ast.parse(source, name).body if isinstance(one, ast.ClassDef))


def _text_in(statement: ast.stmt) -> str | None:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return statement.value.value if isinstance(statement.value.value, str) else None
    return None
