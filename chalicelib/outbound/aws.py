"""AWS, as this process calls it: one session, a client for each service and region, time-outs, and tries inside a budget.

A session costs 50 to 75 ms and a client 4 to 28 ms, so both are made once, and nothing of AWS is imported before the first
call. It is botocore, because boto3 adds objects that nobody here wants. Credentials, region and `AWS_ENDPOINT_URL` come from
the environment, as every AWS tool takes them.
"""

from __future__ import annotations

import logging
import os
import random
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

CONNECT_TIMEOUT_S = 1.0
ANSWER_TIMEOUT_S = 3.0
BUDGET_S = 4.0  # no try begins later than this after the first, so that a call takes 8 s at most
WAIT_S = (0.05, 1.0)  # before the second try, and the most; each is spread from nothing to its double
CONNECTIONS_MAX = 32

# Only these names of queues are AWS's own; beside them are load balancers of anybody. A VPC endpoint has a private address.
SQS_HOST = re.compile(
    r"(?:sqs|sqs-fips)\.(?P<a>[a-z0-9-]+)\.(?:amazonaws\.com|amazonaws\.com\.cn|api\.aws)"
    r"|(?:vpce-[a-z0-9-]+\.)?sqs\.(?P<b>[a-z0-9-]+)\.vpce\.amazonaws\.com"
)

# AWS' common errors in words. What it says of a signature repeats what was signed.
_TOLD = {
    "InvalidClientTokenId": "AWS does not know the access key",
    "UnrecognizedClientException": "AWS does not know the access key",
    "InvalidAccessKeyId": "AWS does not know the access key",
    "SignatureDoesNotMatch": "the secret access key is wrong",
    "InvalidSignatureException": "the secret access key is wrong, or this machine's clock",
    "IncompleteSignature": "the secret access key is wrong",
    "ExpiredToken": "the credentials have expired",
    "ExpiredTokenException": "the credentials have expired",
    "NoCredentialsError": "there are no AWS credentials: give the function or this machine a role",
    "NoRegionError": "there is no AWS region: set AWS_REGION or AWS_DEFAULT_REGION",
}

# Worth another try, beside every answer of 500 and above and every call that was not answered.
_PASSING = {
    "KeyUnavailableException",
    "KMSInternalException",
    "DependencyTimeoutException",
    "LimitExceededException",
    "OverLimit",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottledException",
    "ThrottlingException",
    "TooManyRequestsException",
}


class AwsFault(Exception):
    """A call that AWS did not answer as it should. `code` is AWS' name for the error, or botocore's where no answer came;
    `status` is the answer's; `told` says it in words and holds no secret; `passing` says that it may work later without
    anybody's doing."""

    def __init__(self, code: str, told: str, *, passing: bool, status: int | None = None) -> None:
        super().__init__(f"{code}: {told}")
        self.code, self.told, self.passing, self.status = code, told, passing, status


def call(
    service: str,
    operation: str,
    asked: Mapping[str, Any],
    *,
    region: str | None = None,
    has: str | None = None,
    budget_s: float = BUDGET_S,
) -> dict[str, Any]:
    """One operation in botocore's names, such as ``call("sqs", "send_message", {"QueueUrl": …})``. Throttling, time-outs and
    AWS' own errors are tried again inside `budget_s`, so it may be carried out twice. `has` names a member that every
    complete answer has: botocore takes one that was cut off for an empty one. Raises AwsFault."""
    ends, wait_s = time.monotonic() + budget_s, WAIT_S[0]
    while True:
        try:
            return _once(service, operation, region, has, asked)
        except AwsFault as fault:
            pause_s = random.uniform(0, 2 * wait_s)  # noqa: S311  # jitter is no secret
            if not fault.passing or time.monotonic() + pause_s > ends:
                raise
        time.sleep(pause_s)
        wait_s = min(2 * wait_s, WAIT_S[1])


def _once(
    service: str, operation: str, region: str | None, has: str | None, asked: Mapping[str, Any]
) -> dict[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        answer: dict[str, Any] = getattr(client(service, region), operation)(**asked)
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        raise fault_of(error) from None  # its text may hold what was sent
    if has is not None and has not in answer:
        raise AwsFault("IncompleteAnswer", f"{service} gave an incomplete answer", passing=True)
    return answer


def fault_of(error: Exception) -> AwsFault:
    """What one of botocore's exceptions comes to."""
    response = getattr(error, "response", None)
    if isinstance(response, dict) and "Error" in response:
        code, message, status = _parts_of(response)
        told = _TOLD.get(code) or ("it was refused" if "Signature" in code else message[:300] or "it gave no reason")
        return AwsFault(code, told, passing=(status or 0) >= 500 or code in _PASSING, status=status)
    code = type(error).__name__
    ours = code in ("ParamValidationError", "NoCredentialsError", "NoRegionError", "PartialCredentialsError")
    return AwsFault(code, _TOLD.get(code, "no answer came"), passing=not ours)


def _parts_of(response: dict[str, Any]) -> tuple[str, str, int | None]:
    """Error code, message and HTTP status. Where the answer is not of the protocol (XML, or a page of a proxy), the code is
    the status and the message all of the answer."""
    error = response["Error"]
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    if code.isdigit():
        found = re.search(r"<Code>(\w{1,60})</Code>", message)
        code, message = found[1] if found else code, ""
    return code, message, response.get("ResponseMetadata", {}).get("HTTPStatusCode")


_lock = threading.Lock()
_session: Any = None
_clients: dict[tuple[str, str | None], Any] = {}


def client(service: str, region: str | None = None) -> Any:
    """The process' client of `service`, which all threads share; `region` is the environment's by default."""
    found = _clients.get((service, region))
    return found if found is not None else _made(service, region)


def new_client(service: str, **how: Any) -> Any:
    """A client with credentials or time-outs of its own; the caller closes it. `how` as botocore's `create_client` takes it."""
    with held_session() as made:
        return made.create_client(service, **how)


@contextmanager
def held_session() -> Iterator[Any]:
    """The session, while no other thread makes a client of it."""
    with _lock:
        yield session()


def session() -> Any:
    """botocore's session, with the environment's credentials."""
    global _session
    if _session is None:
        from botocore.session import get_session

        logging.getLogger("botocore").setLevel(logging.INFO)  # at DEBUG it logs data keys and credentials
        _session = get_session()
    return _session


def _made(service: str, region: str | None) -> Any:
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=ANSWER_TIMEOUT_S,
        retries={"total_max_attempts": 1},  # `call` does that, and knows its budget
        max_pool_connections=CONNECTIONS_MAX,
        tcp_keepalive=True,
    )
    with held_session() as made:
        if (service, region) not in _clients:
            _clients[service, region] = made.create_client(service, region_name=region, config=config)
        return _clients[service, region]


def region_of(host: str) -> str | None:
    """The region that an SQS host of AWS names; None for every other host."""
    found = SQS_HOST.fullmatch(host)
    return found and (found["a"] or found["b"])


def forget() -> None:
    """Drops session and clients: after a fork, where two processes would talk over one connection, and where the
    environment has changed."""
    global _session, _lock
    _lock, _session = threading.Lock(), None  # another thread may have held the lock when the process was forked
    _clients.clear()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=forget)
