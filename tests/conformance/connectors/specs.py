"""PSPs' own specifications and published vectors, as data that is not part of this repository: tests that need one skip with
a line where it is not there. They lie beside the checkout (`../shared/psp-specs`), or where `PSP_SPECS` says."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.words import Words

_BESIDE = Path(__file__).parents[3].parent / "shared" / "psp-specs"


def spec_file(name: str) -> str:
    """The file's text. Skips the module, or the test, that asks for one that is not there."""
    path = Path(os.environ.get("PSP_SPECS") or _BESIDE) / name
    if not path.exists():
        pytest.skip(f"{name} is not there: PSP_SPECS says where the PSPs' specifications are", allow_module_level=True)
    return path.read_text()


def vectors_of(psp: str) -> list[dict[str, Any]]:
    """The published signatures."""
    return [one for one in json.loads(spec_file("signature-vectors.json"))["vectors"] if one["psp"] == psp]


def is_in_one_of(tables: Iterable[Words[Any]], words: Collection[str]) -> bool:
    return any(table.meanings.keys() >= set(words) for table in tables)
