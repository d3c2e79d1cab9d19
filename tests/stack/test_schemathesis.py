"""The served OpenAPI document against the server behind it: generated calls, good and bad, and every check there is.

A stack of its own, because generated calls delete routes too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.running import ROOT, Stack, running

# Stored answers to 404 and 422 are most of what strangers see; without a token there is nothing but 401.
NEVER_WITHOUT_TOKEN = ["positive_data_acceptance", "negative_data_rejection", "missing_required_header", "ignored_auth"]
SAME = ["--max-examples", "1", "--seed", "1"]  # most calls come of the schemas' limits, which are tried one by one


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("schemathesis") / "var") as started:
        assert started.checkout("one-to-find").status_code == 201
        yield started


def fuzz(folder: Path, document: str, *options: str) -> int:
    """How many calls were made; each of them was answered as the document says."""
    report = folder / "report.json"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(ROOT / "schemathesis.toml"), "run"]
    command += [document, "--checks", "all", "--no-shrink", "--warnings", "off"]
    command += ["--report", "json", "--report-json-path", str(report), *options]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-2_000:]
    made: int = json.loads(report.read_text())["test_cases"]["generated"]
    return made


def served(stack: Stack) -> str:
    return f"{stack.api}/openapi.json"


def for_strangers(stack: Stack, folder: Path) -> str:
    """The document as a file, with one condition that a route's rule may have. Nobody reads the body of a call without a token,
    and the limits of each condition in each operation that takes rules are nine calls of ten."""
    document = stack.call("GET", "/openapi.json", client=None).json()
    conditions = document["components"]["schemas"]["Condition"]["oneOf"]
    assert len(conditions) > 40
    del conditions[1:]
    path = folder / "openapi.json"
    path.write_text(json.dumps(document))
    return str(path)


def with_token(stack: Stack) -> list[str]:
    return ["--header", f"Authorization: Bearer {stack.token()}"]


def without_token() -> list[str]:
    return ["--exclude-checks", ",".join(NEVER_WITHOUT_TOKEN)]


def test_two_thousand_generated_calls_are_answered_as_the_document_says(own_stack: Stack, tmp_path: Path) -> None:
    assert fuzz(tmp_path, served(own_stack), *SAME, *with_token(own_stack)) >= 2_000


def test_five_hundred_generated_calls_without_a_token_are_too(own_stack: Stack, tmp_path: Path) -> None:
    document = for_strangers(own_stack, tmp_path)
    assert fuzz(tmp_path, document, "--url", own_stack.api, *SAME, *without_token()) >= 500


@pytest.mark.long
@pytest.mark.timeout(1000)
def test_other_calls_each_time_are_answered_as_the_document_says(own_stack: Stack, tmp_path: Path) -> None:
    """What fails is told with its seed."""
    assert fuzz(tmp_path, served(own_stack), "--max-examples", "25", *with_token(own_stack)) >= 4_000
