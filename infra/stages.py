"""The stages of `.chalice/config.json`: what each function is given, as Chalice reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / ".chalice" / "config.json"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. A value of a function stands above its stage's, and that above the file's."""

    name: str
    _layers: tuple[dict[str, Any], ...]
    _functions: dict[str, dict[str, Any]]

    def of(self, function: str, key: str, otherwise: Any = None) -> Any:
        for layer in (self._functions.get(function, {}), *self._layers):
            if key in layer:
                return layer[key]
        return otherwise

    def timeout_s(self, function: str) -> int:
        return int(self.of(function, "lambda_timeout"))

    def reserved(self, function: str) -> int | None:
        """Executions at a time that are this function's alone, and all it gets."""
        value = self.of(function, "reserved_concurrency")
        return None if value is None else int(value)


def stage_of(name: str) -> Stage:
    """Raises KeyError for a stage that is not in the file."""
    config = json.loads(CONFIG.read_text())
    stage = config["stages"][name]
    return Stage(name, (stage, config), stage.get("lambda_functions", {}))
