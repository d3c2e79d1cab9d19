"""The verifiers of docs/webhooks.md, as a subscriber would copy them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.conformance.channel import lacking

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
Verify = Callable[[str, Mapping[str, Any], bytes], None]

_RUN = """
const lines = require("node:fs").readFileSync(0, "utf8").trim().split("\\n").map((line) => JSON.parse(line));
for (const { name, secret, headers, body } of lines) {
  try {
    ({ verify, verifyEd25519 })[name](secret, headers, Buffer.from(body, "base64"));
    console.log("verified");
  } catch (error) {
    console.log(error.message);
  }
}
"""


def code_of(language: str) -> str:
    """All blocks of one language, as one program."""
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL))


def in_python() -> dict[str, Any]:
    """The names that the Python blocks define."""
    defined: dict[str, Any] = {}
    exec(compile(code_of("python"), str(PAGE), "exec"), defined)
    return defined


def in_node(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the Node blocks say to each case: `verified`, or the message of what they throw."""
    node = shutil.which("node")
    if node is None:
        lacking("node is not installed")
    assert node is not None
    asked = "\n".join(json.dumps(case) for case in cases)
    ran = subprocess.run(
        [node, "-e", code_of("js") + _RUN], input=asked, capture_output=True, text=True, timeout=60, check=True
    )
    return ran.stdout.splitlines()
