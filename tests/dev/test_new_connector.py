"""`make new-connector` lays out what CONTRIBUTING.md says: a folder, its tests, two lines; and the kit fails until it is
written."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dev.new_connector.__main__ import Unwanted, lay_out

ROOT = Path(__file__).parents[2]
COPIED = (
    "chalicelib",
    "dev",
    "docs",
    "tests",
    "app.py",
    "pyproject.toml",
    "CHANGELOG.md",
    "README.md",
    "CONTRIBUTING.md",
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the product with a connector laid out in it."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "studio", "var"))
        else:
            shutil.copy(source, tmp_path / name)
    lay_out("newpay", "New Pay", tmp_path)
    return tmp_path


def run(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=copy, capture_output=True, text=True, check=False)


def test_a_connector_is_a_folder_its_tests_and_two_lines(copy: Path) -> None:
    compared = subprocess.run(
        ["diff", "-rq", "-x", "__pycache__", "-x", "studio", "-x", "var", ROOT / "chalicelib", copy / "chalicelib"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    assert len(compared) == 2
    assert f"Only in {copy}/chalicelib/connectors: newpay" in compared
    assert "registry.py differ" in " ".join(compared)
    registry = (copy / "chalicelib/connectors/registry.py").read_text()
    assert (
        len(set(registry.splitlines()) - set((ROOT / "chalicelib/connectors/registry.py").read_text().splitlines()))
        == 1
    )
    assert "- New Pay (docs/connectors.md).\n" in (copy / "CHANGELOG.md").read_text()


def test_what_is_laid_out_is_clean(copy: Path) -> None:
    for command in (
        ("ruff", "check", "chalicelib", "tests/connectors"),
        ("ruff", "format", "--check", "chalicelib", "tests/connectors"),
    ):
        told = run(copy, *command)
        assert told.returncode == 0, told.stdout


@pytest.mark.long
def test_what_is_laid_out_is_typed(copy: Path) -> None:
    told = run(copy, "mypy", "-p", "chalicelib.connectors.newpay")
    assert told.returncode == 0, told.stdout


def test_its_kit_fails_and_says_what_is_to_be_written(copy: Path) -> None:
    kit = [f"tests/conformance/connectors/test_{name}.py" for name in ("scenarios", "tables", "required", "amounts")]
    told = run(copy, "pytest", "-q", "-n", "0", *kit, "--psp", "newpay")
    assert told.returncode == 1, told.stdout[-2000:]
    assert "NotImplementedError: open_checkout: make the page" in told.stdout
    assert "decline_code: no scenario has 'stolen_card'" in told.stdout
    assert "no scenario for refund" in told.stdout
    assert "| automatic capture | yes |" in told.stdout
    passed = [line for line in told.stdout.splitlines() if " passed" in line]
    assert passed, "what its signature and amounts already do is tested too"


@pytest.mark.parametrize("name", ["", "New", "1pay", "new-pay", "x", "a" * 32, "new pay", "../pay"])
def test_a_name_that_python_would_not_take_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Unwanted, match="no name"):
        lay_out(name, "", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_connector_that_is_there_is_not_written_over(copy: Path) -> None:
    with pytest.raises(Unwanted, match="already"):
        lay_out("sandbox", "", copy)
