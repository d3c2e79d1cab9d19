"""`make localstack`: PaymentServer on DynamoDB, SQS and KMS of LocalStack, or of ministack where nobody listens at its port.

Chalice's own server answers, with the stage `localstack` of `.chalice/config.json`; the worker takes the queues. ministack
forgets everything when it ends, and so does what is kept here: a start begins anew.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time
from pathlib import Path

from dev.children import Child, stop
from dev.folder_lock import FolderLock
from dev.launcher import Places, Stopping, check_ports, places, wait_until_ready
from dev.ministack import CREDENTIALS, PORT

STAGE = "localstack"
CONFIG = Path(__file__).parents[1] / ".chalice" / "config.json"
ENDPOINT = f"http://localhost:{PORT}"
STARTS_WITHIN_S = 300.0  # ministack is installed first


def environment_of(at: Places) -> dict[str, str]:
    """What PaymentServer's processes are started with; Chalice's server takes the stage's part from the file itself."""
    stage = json.loads(CONFIG.read_text())["stages"][STAGE]["environment_variables"]
    return {**at.environment(), **CREDENTIALS, "AWS_ENDPOINT_URL": ENDPOINT, **stage}


def prepare(at: Places) -> None:
    """Keys, queues, tables, and the seed, each where it is missing."""
    from chalicelib.outbound import aws
    from chalicelib.queues.sqs_queues import create_queues
    from chalicelib.settings import Settings
    from dev.seed import seed

    settings = Settings()
    there = {one["AliasName"] for one in aws.call("kms", "list_aliases", {})["Aliases"]}
    for alias in (settings.vault_key, settings.webhook_vault_key, settings.link_key):
        if alias not in there:
            macs = alias == settings.link_key
            asked = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"} if macs else {}
            key = aws.call("kms", "create_key", asked)["KeyMetadata"]["KeyId"]
            aws.call("kms", "create_alias", {"AliasName": alias, "TargetKeyId": key})
    create_queues(settings.queue_url)
    seed(at.sandbox)


def children_of(at: Places, lock: FolderLock) -> list[Child]:
    here, inherits = environment_of(at), (lock.descriptor,)
    state = at.var / STAGE
    return [
        Child(
            "identity",
            "dev.identity",
            ["--port", str(at.port + 1), "--issuer", at.identity, "--state", str(state / "identity")],
            here,
            inherits,
        ),
        Child(
            "sandbox",
            "dev.sandbox",
            ["--port", str(at.port + 2), "--state", str(state / "sandbox"), "--webhook-base", at.api],
            here,
            inherits,
        ),
        Child("gateway", "dev.chalice_local", ["--stage", STAGE, "--port", str(at.port)], here, inherits),
        Child("worker", "server.worker", ["--metrics-port", str(at.metrics_port)], here, inherits),
    ]


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def stand_in(lock: FolderLock, stopping: Stopping) -> list[Child]:
    """Nothing where somebody listens already: then that is LocalStack."""
    if _listens(PORT):
        return []
    child = Child("ministack", "dev.ministack", inherits=(lock.descriptor,))
    child.start()
    ends = time.monotonic() + STARTS_WITHIN_S
    while not _listens(PORT):
        if stopping.asked or time.monotonic() > ends or not child.revive():
            stop([child])
            sys.exit("ministack did not start; what it printed above says why.")
        time.sleep(0.05)
    return [child]


def main() -> None:
    at = places()
    lock = FolderLock(at.var)
    check_ports(at)
    stopping = Stopping()
    aws_there = stand_in(lock, stopping)
    if aws_there:  # it has forgotten what the sandbox PSPs would remember
        shutil.rmtree(at.var / STAGE, ignore_errors=True)
    os.environ.update(environment_of(at))
    prepare(at)
    children = children_of(at, lock)
    *serving, worker = children
    for child in serving:
        child.start()
    if wait_until_ready(at, serving, stopping):
        worker.start()
        print(f"\nPaymentServer is ready at {at.api}, on the AWS at {ENDPOINT}. Ctrl-C stops everything.\n", flush=True)
    while not stopping.asked and all(child.revive() for child in children):
        time.sleep(0.2)
    lock.stopping()
    stop([*aws_there, *children])


if __name__ == "__main__":
    main()
