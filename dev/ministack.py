"""ministack, the AWS stand-in that needs no account: ``python -m dev.ministack`` serves it on loopback, at port 4566.

It lives in an environment of its own under build/, made once, because it wants other versions of what PaymentServer uses.
Everything in it is kept in memory.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import venv
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "requirements" / "ministack.txt"
BUILD = ROOT / "build"
PORT = 4566
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-west-1"}


def program() -> Path:
    """Its Python, installed first where that is still to be done; one process installs for all.

    Raises CalledProcessError where pip fails."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    home = BUILD / f"ministack-{digest}"
    python = home / "bin" / "python"
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "ministack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / ".installed").exists():
            venv.create(home, clear=True, with_pip=True)
            install = [
                str(python),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--require-hashes",
            ]
            subprocess.run([*install, "-r", str(REQUIREMENTS)], check=True, timeout=280)
            (home / ".installed").touch()
    return python


def environment_of(port: int, folder: Path) -> Mapping[str, str]:
    """What it is started with; `folder` takes its temporary files."""
    return {
        **os.environ,
        **CREDENTIALS,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": CREDENTIALS["AWS_DEFAULT_REGION"],
        "TMPDIR": str(folder),
        "LOG_LEVEL": "WARNING",
        "IOT_MTLS_ENABLED": "0",  # it would listen on all interfaces, at a port that two of them would both want
    }


def main() -> None:
    folder = ROOT / "var" / "ministack"
    folder.mkdir(parents=True, exist_ok=True)
    python = program()
    print(f"ministack listens at http://localhost:{PORT}", flush=True)
    os.execve(python, [str(python), "-m", "ministack"], dict(environment_of(PORT, folder)))  # noqa: S606


if __name__ == "__main__":
    main()
