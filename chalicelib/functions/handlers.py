"""The functions and their handlers, each imported when it is asked for."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

# By the name that `app.py` and Chalice know them by: module and attribute.
FUNCTIONS = {
    "webhooks": ("webhooks", "handle"),
    "apply": ("queues", "apply"),
    "notify": ("queues", "notify"),
    "attend": ("queues", "attend"),
    "sweep": ("schedules", "sweep"),
    "measure": ("schedules", "measure"),
}


def handler_of(name: str) -> Any:
    """A callable of an event and a Lambda context. `app` is the Chalice app itself, but in Lambda, where it is wrapped like
    the other functions. Raises KeyError."""
    if name == "app":
        return _attribute("api", "handle") if is_lambda() else _attribute("declared", "whole_app")()
    return _attribute(*FUNCTIONS[name])


def is_lambda() -> bool:
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def _attribute(module: str, attribute: str) -> Any:
    return getattr(import_module(f"chalicelib.functions.{module}"), attribute)
