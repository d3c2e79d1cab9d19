"""`make new-connector NAME=psp TITLE="PSP"`: everything a connector consists of, its methods still to be written and the
kit's scenarios failing."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from string import Template

ROOT = Path(__file__).parents[2]
TEMPLATES = Path(__file__).parent
_NAME = re.compile(r"[a-z][a-z0-9]{1,30}")
_LINE_IN_REGISTRY = re.compile(r'_NAMES = \(\n((?:    "[a-z0-9]+",\n)*)\)')
_ADDED = "## [Unreleased]\n\n### Added\n"


class Unwanted(Exception):
    """Why nothing was made."""


def lay_out(name: str, title: str, root: Path = ROOT) -> list[Path]:
    """Writes the files and the two lines; gives what was written. Raises Unwanted, and then nothing was."""
    if not _NAME.fullmatch(name):
        raise Unwanted(f"{name!r} is no name: small letters and digits, 31 at most, as a Python module has")
    folder, tests = root / "chalicelib" / "connectors" / name, root / "tests" / "connectors" / name
    if folder.exists() or tests.exists():
        raise Unwanted(f"there is a {name} already")
    known = {"name": name, "Name": name.capitalize(), "title": title or name.capitalize()}
    written = [*_filled(TEMPLATES / "folder", folder, known), *_filled(TEMPLATES / "tests", tests, known)]
    written += [_registered(root, name), _told(root, known["title"])]
    return written


def _filled(templates: Path, into: Path, known: dict[str, str]) -> list[Path]:
    written = []
    for template in sorted(templates.rglob("*.txt")):
        path = into / template.relative_to(templates).with_suffix("")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(template.read_text()).substitute(known))
        written.append(path)
    return written


def _registered(root: Path, name: str) -> Path:
    path = root / "chalicelib" / "connectors" / "registry.py"
    text = path.read_text()
    found = _LINE_IN_REGISTRY.search(text)
    assert found is not None, "the registry lists its names line by line"
    lines = sorted([*found[1].splitlines(keepends=True), f'    "{name}",\n'])
    path.write_text(text[: found.start(1)] + "".join(lines) + text[found.end(1) :])
    return path


def _told(root: Path, title: str) -> Path:
    path = root / "CHANGELOG.md"
    text = path.read_text()
    assert _ADDED in text, "the changelog has a list of what was added"
    path.write_text(text.replace(_ADDED, f"{_ADDED}- {title} (docs/connectors.md).\n", 1))
    return path


def main(arguments: list[str]) -> int:
    name, title = (*arguments, "", "")[:2]
    try:
        written = lay_out(name, title)
    except Unwanted as reason:
        sys.stderr.write(f"{reason}\n")
        return 2
    sys.stdout.write("\n".join(str(path.relative_to(ROOT)) for path in written))
    sys.stdout.write(
        f"\n\nWrite its methods and scenarios until `make kit PSP={name}` passes: CONTRIBUTING.md says how.\n"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
