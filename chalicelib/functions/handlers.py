"""The functions and their handlers, each imported when it is asked for.

Lambda asks for one while the function starts, with more of a processor than any later call gets. So all that the first call
needs is made then, and kept out of the garbage collector's sight: of what was imported nothing is ever garbage.
"""

from __future__ import annotations

import gc
import os
from importlib import import_module
from typing import Any

# By the name that `app.py` and Chalice know them by: module and attribute. The API's is `app`.
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
    starts = "AWS_LAMBDA_FUNCTION_NAME" in os.environ
    if name == "app" and not starts:
        return _imported("declared").whole_app()
    module, attribute = ("api", "handle") if name == "app" else FUNCTIONS[name]
    return _started(module, attribute) if starts else getattr(_imported(module), attribute)


def _started(module: str, attribute: str) -> Any:
    gc.disable()
    try:
        _imported("invocation").logs()  # before anything is told: the runtime's own lines are no JSON
        found = _imported(module)
        found.start(attribute)
    finally:
        gc.freeze()
        gc.enable()
    return getattr(found, attribute)


def _imported(module: str) -> Any:
    return import_module(f"chalicelib.functions.{module}")
