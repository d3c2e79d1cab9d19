"""`app.py` as Chalice and as Lambda see it."""

from __future__ import annotations

import pytest

import app
from chalicelib.functions.handlers import FUNCTIONS


def test_chalice_finds_every_function_under_its_handlers_address() -> None:
    declared = [*app.app.pure_lambda_functions, *app.app.event_sources]
    assert {one.name: one.handler_string for one in declared} == {name: f"app.{name}" for name in FUNCTIONS}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_lambda_finds_a_handler_that_chalice_has_not_wrapped(name: str) -> None:
    assert app.app
    handler = getattr(app, name)
    assert handler.__module__ == f"chalicelib.functions.{FUNCTIONS[name][0]}"


def test_the_module_has_nothing_else() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = app.nothing
