"""Builds and runs the Pub/Sub server of this folder; it needs Debian's golang-go and golang-google-cloud-dev."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_name("main.go")
GOPATH = Path("/usr/share/gocode")
BUILD = Path(__file__).parents[3] / "build"


def is_possible() -> bool:
    return shutil.which("go") is not None and (GOPATH / "src/cloud.google.com/go/pubsub/pstest").is_dir()


def built() -> Path:
    """The server, built once for each source; half a minute the first time, and one process builds it for all."""
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    program = BUILD / f"pubsub-server-{digest}"
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "pubsub-server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            there = {**os.environ, "GO111MODULE": "off", "GOPATH": str(GOPATH), "GOCACHE": str(BUILD / "go-cache")}
            half = program.with_suffix(".half")
            subprocess.run(["go", "build", "-o", half, SOURCE], env=there, check=True, timeout=280)
            half.rename(program)
    return program


@contextmanager
def running(*arguments: str) -> Iterator[int]:
    """The port of a server that runs until the block ends."""
    with subprocess.Popen([built(), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()  # which ends it
            process.wait(10)
