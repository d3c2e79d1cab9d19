"""Whether requests can be served: the parts that every request needs are asked, at most once a second."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import requests

from chalicelib.contracts.queue import Topic
from chalicelib.domain.errors import NotFound, PaymentServerError
from chalicelib.outbound.failures import reason_of
from chalicelib.services.kinds import PAYMENT
from chalicelib.wiring import Wiring

FRESH_S = 1.0
ANSWER_WITHIN_S = 1.0
DEPENDENCIES_MAX = 16
_NO_PAYMENT = "pay_readiness"  # no payment's id has this form


class _Unavailable(Exception):
    """A dependency that does not answer, or answers 5xx; the text names its host and why."""


log = logging.getLogger("paymentserver.health")
_lock = threading.Lock()
_last: tuple[Wiring, float, dict[str, bool]] | None = None


def checks_of(wired: Wiring) -> dict[str, bool]:
    """Which parts answer, by name; dependencies are numbered, because their addresses are nobody else's business."""
    global _last
    with _lock:  # callers that come together share one round of questions
        if _last is None or _last[0] is not wired or time.monotonic() - _last[1] > FRESH_S:
            found = _ask(wired)
            _last = (wired, time.monotonic(), found)
        return _last[2]


def _ask(wired: Wiring) -> dict[str, bool]:
    checks = {
        "store": _holds(lambda: _store_answers(wired)),
        "queue": _holds(lambda: _queue_answers(wired)),
        "vault": _holds(wired.vault_proof.check),
    }
    urls = wired.settings.dependencies[:DEPENDENCIES_MAX]
    if urls:
        with ThreadPoolExecutor(len(urls)) as pool:
            answers = pool.map(lambda url: _holds(lambda: _url_answers(url)), urls)
            checks |= {f"dependency {number}": ok for number, ok in enumerate(answers, start=1)}
    return checks


def _holds(check: Callable[[], None]) -> bool:
    try:
        check()
    except (PaymentServerError, _Unavailable) as error:
        log.warning("not ready", extra={"fields": {"error": type(error).__name__, "detail": str(error)[:200]}})
        return False
    return True


def _store_answers(wired: Wiring) -> None:
    try:
        wired.store.get(PAYMENT, _NO_PAYMENT)
    except NotFound:
        pass


def _queue_answers(wired: Wiring) -> None:
    wired.queue.depth(Topic.INBOUND)


def _url_answers(url: str) -> None:
    """Any answer but a 5xx will do: it listens and works. A proxy of the environment is none of ours."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.get(url, timeout=ANSWER_WITHIN_S, allow_redirects=False, stream=True) as response:
                reason = f"answered {response.status_code}" if response.status_code >= 500 else None
    except requests.RequestException as error:
        reason = reason_of(error, connect_s=ANSWER_WITHIN_S, answer_s=ANSWER_WITHIN_S)
    if reason is not None:
        raise _Unavailable(f"{urlsplit(url).hostname}: {reason}")
