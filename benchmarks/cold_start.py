"""``make bench-cold``: what a cold start of each function takes, beside its floor.

Each function of the deployment package is started by Lambda's own runtime client, against a Runtime API on loopback, until it
asks for its first event. The floor is a bare Chalice app that imports the same packages of others and makes the same clients
of AWS, started the same way. The two take turns, so that what else this machine does weighs on both alike.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from chalicelib.functions.handlers import FUNCTIONS
from tests.aws.packages import MACHINE, built
from tests.aws.runtime_api import Function, running

AIMS_MS = {"webhooks": 300, "app": 500}
RATIO_MAX = 1.3
CLIENTS = ("sqs", "dynamodb", "kms")
SETTINGS = {
    "PAYMENTSERVER_ISSUER": "https://issuer.example/realm",
    "PAYMENTSERVER_VAR": "/tmp",
    "PAYMENTSERVER_DATABASE_URL": "dynamodb:paymentserver",
    "PAYMENTSERVER_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/paymentserver",
    "PAYMENTSERVER_VAULT_KEY": "alias/paymentserver-credentials",
    "PAYMENTSERVER_WEBHOOK_VAULT_KEY": "alias/paymentserver-webhooks",
    "PAYMENTSERVER_LINK_KEY": "alias/paymentserver-links",
}
# What of others has been imported once the handler is there, in the order it was.
_PROBE = """
import json, sys
import app
getattr(app, sys.argv[1])
print(json.dumps([name for name, module in sys.modules.items()
                  if (getattr(module, "__file__", None) or "").startswith(sys.argv[2])]))
"""


@dataclass
class Started:
    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def add(self, function: Function) -> None:
        self.wall_ms.append(function.init_ms)
        self.cpu_ms.append(function.init_cpu_ms)


def packages_of(name: str, folder: Path) -> list[str]:
    """Modules of others that a function imports while it starts."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(folder),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_DEFAULT_REGION": "eu-west-1",
        **SETTINGS,
    }
    command = [sys.executable, "-S", "-s", "-B", "-c", _PROBE, name, str(folder)]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    modules: list[str] = json.loads(told.stdout)
    return [one for one in modules if one.partition(".")[0] not in ("app", "chalicelib")]


def floor_of(modules: Sequence[str]) -> str:
    """The source of a bare Chalice app with these modules and the clients."""
    return "\n".join(
        [
            "from chalice.app import Chalice",
            *(f"import {module}" for module in modules),
            "from botocore.session import get_session",
            "app = Chalice(app_name='floor')",
            "session = get_session()",
            f"clients = [session.create_client(service) for service in {CLIENTS}]",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--package", type=Path, help="an unpacked package; one is built by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        folder = options.package or built(work / "out", architecture=MACHINE).folder
        print(f"{'function':10}{'init ms':>9}{'floor':>8}{'ratio':>8}{'CPU ms':>9}{'floor':>8}{'ratio':>8}  aim")
        for function in ("app", *FUNCTIONS):
            print(_row(function, *_measured(function, folder, work, options.rounds)))
    print(f"\nThe aim is {RATIO_MAX} times the floor at most. CPU is what counts where other work shares this machine.")


def _measured(name: str, folder: Path, work: Path, rounds: int) -> tuple[Started, Started]:
    floor_folder = work / f"floor-{name}"
    floor_folder.mkdir()
    (floor_folder / "app.py").write_text(floor_of(packages_of(name, folder)))
    path = os.pathsep.join(str(part) for part in (floor_folder, folder, work / "runtime-client"))
    ours, floor = Started(), Started()
    for _ in range(rounds):
        with running(f"app.{name}", folder, SETTINGS, work / "log") as function:
            ours.add(function)
        with running("app.app", floor_folder, {"PYTHONPATH": path}, work / "floor-log") as function:
            floor.add(function)
    return ours, floor


def _row(name: str, ours: Started, floor: Started) -> str:
    wall, least = median(ours.wall_ms), median(floor.wall_ms)
    cpu, least_cpu = median(ours.cpu_ms), median(floor.cpu_ms)
    aim = f"{AIMS_MS[name]} ms" if name in AIMS_MS else ""
    shown = f"{'api' if name == 'app' else name:10}{wall:9.0f}{least:8.0f}{wall / least:8.2f}"
    return f"{shown}{cpu:9.0f}{least_cpu:8.0f}{cpu / least_cpu:8.2f}  {aim}"


if __name__ == "__main__":
    main()
