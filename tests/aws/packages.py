"""Deployment packages, built as `make package` builds them."""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGER = ROOT / "build" / "packager" / "bin"
MACHINE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]  # in Lambda's words


@dataclass(frozen=True, slots=True)
class Package:
    """What one run of `make package` made."""

    out: Path

    @property
    def folder(self) -> Path:
        return self.out / "package"

    @property
    def zipped(self) -> Path:
        (found,) = self.out.glob("paymentserver-*.zip")
        return found

    @property
    def stack(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.out / "stack.json").read_text())
        return document


def built(out: Path, *, architecture: str, stage: str = "prod") -> Package:
    """Prints its size, as `make package` does."""
    options = ["--out", str(out), "--architecture", architecture, "--stage", stage]
    done = subprocess.run(
        [str(PACKAGER / "python"), "-m", "infra.package", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout, end="")
    return Package(out)


def linted(template: Path) -> str:
    """What cfn-lint has to say of a template; nothing where all is well."""
    done = subprocess.run(
        [str(PACKAGER / "cfn-lint"), "--include-checks", "I", "--regions", "eu-west-1", "--template", str(template)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr
