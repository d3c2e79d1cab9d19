"""A PSP's words stand in its own folder, its tests and its docs, and nowhere else in the product."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.conformance.connectors.profile import NAMES, profile_of

ROOT = Path(__file__).parents[3]
PRODUCT = ("chalicelib", "server", "infra", "app.py")
SUFFIXES = {".py", ".md", ".js", ".html", ".css", ".json", ".mako", ".toml", ".yml", ".yaml"}
REGISTRY = ROOT / "chalicelib" / "connectors" / "registry.py"


CONNECTORS = REGISTRY.parent


def files(psp: str) -> Iterator[Path]:
    """Without the connectors' folders: one PSP's payment method is another's name."""
    folders = [CONNECTORS / name for name in NAMES]
    for top in PRODUCT:
        place = ROOT / top
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            elsewhere = path != REGISTRY and not any(folder in path.parents for folder in folders)
            if elsewhere and path.is_file() and path.suffix in SUFFIXES:
                yield path


def test_no_word_of_a_psp_stands_outside_its_folder(psp: str) -> None:
    if psp == "sandbox":  # the examples of the API are of the sandbox, and it is the one connector of development
        return
    words = re.compile("|".join(map(re.escape, (psp, *profile_of(psp).own_words))), re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in files(psp)
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if words.search(line)
    ]
    assert not found, "\n".join(found)


def test_no_connector_imports_another(psp: str) -> None:
    wanted = re.compile(r"^\s*(?:from|import) chalicelib\.connectors\.(\w+)", re.MULTILINE)
    for path in sorted((CONNECTORS / psp).rglob("*.py")):
        assert set(wanted.findall(path.read_text())) <= {psp}, path.name


def test_the_registry_has_one_line_for_a_connector(psp: str) -> None:
    lines = [line for line in REGISTRY.read_text().splitlines() if f'"{psp}"' in line]
    assert len(lines) == 1


def test_json_from_outside_is_read_within_bounds(psp: str) -> None:
    """`domain.json_text` and `HttpResponse.json` bound how deep it may be nested."""
    unbounded = re.compile(r"\bjson\.loads?\(|\bJSONDecoder\b|\bfrom json import\b")
    for path in sorted((CONNECTORS / psp).rglob("*.py")):
        assert not unbounded.search(path.read_text()), path.name
