"""`make localstack-demo`: Chalice's own server and the worker, on DynamoDB, SQS and KMS of an AWS stand-in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.stack.running import ROOT


@pytest.mark.xdist_group("port 4566")
def test_the_demo_is_as_promised_on_an_aws_stand_in(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PAYMENTSERVER_", "AWS_"))}
    environment |= {"PORT": str(free_port(count=4)), "PAYMENTSERVER_VAR": str(tmp_path / "var")}
    command = [sys.executable, "-m", "dev.demo", "--launcher", "dev.localstack"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.rstrip().endswith("Everything was as promised.")
    assert not (tmp_path / "var" / "payments.db").exists()
    assert not (tmp_path / "var" / "queue.db").exists()
    assert not (tmp_path / "var" / "keyring.json").exists()
