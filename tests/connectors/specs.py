"""The PSPs' own specifications and published signatures, which lie beside the repository and are not part of it. What checks
against them is skipped where they are not there."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

FOLDER = Path(__file__).parents[3] / "shared" / "psp-specs"


def read(name: str) -> Any:
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return _read(path)


@cache
def _read(path: Path) -> Any:
    return json.loads(path.read_text())


def schema_of(name: str, component: str) -> Draft202012Validator:
    """Of OpenAPI 3.1, whose schemas are JSON Schema: a component of a specification, formats included."""
    read(name)
    return _schema_of(name, component)


@cache
def _schema_of(name: str, component: str) -> Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{component}", "components": read(name)["components"]}
    return Draft202012Validator(schema, validate_formats=True)
