"""What is in the deployment package: nothing that no function needs, and bytecode, so that no cold start compiles.

A function's folder is read-only, so what is not compiled here is compiled at each cold start again: the biggest part of it.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

# botocore describes every service of AWS, in 16 MB. These are called; the files beside the folders tell of endpoints.
SERVICES = {"dynamodb", "kms", "sqs", "sts"}
# Of a distribution's own record only what `importlib.metadata` is asked for.
KEPT_RECORDS = {"METADATA", "entry_points.txt"}
LAMBDA_ROOT = "/var/task"  # where Lambda unpacks it: tracebacks name files there


def prepare(folder: Path) -> None:
    """Drops what is not needed and compiles the rest, in a process of its own whose hashes are not salted."""
    _drop(folder)
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    subprocess.run(  # noqa: S603
        [sys.executable, "-m", "infra.contents", str(folder)], check=True, env=environment
    )


def _drop(folder: Path) -> None:
    for service in sorted((folder / "botocore" / "data").iterdir()):
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(service)
    for records in folder.glob("*.dist-info"):
        for record in records.iterdir():
            if record.is_dir():
                shutil.rmtree(record)
            elif record.name not in KEPT_RECORDS:
                record.unlink()
    for left in folder.glob("*.data"):  # scripts of distributions
        shutil.rmtree(left)
    for cached in folder.rglob("__pycache__"):
        shutil.rmtree(cached)


def compiled(folder: Path) -> None:
    """Raises SystemExit for a file that does not compile. Sources stay, for tracebacks; they are not looked at for
    freshness, because nobody changes them there."""
    if sys.version_info[:2] != (3, 11):
        sys.exit("Compile with the functions' own Python, 3.11.")
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(
        str(folder), quiet=1, workers=1, invalidation_mode=mode, stripdir=str(folder), prependdir=LAMBDA_ROOT
    ):
        sys.exit("Something in the package does not compile.")


if __name__ == "__main__":
    compiled(Path(sys.argv[1]))
