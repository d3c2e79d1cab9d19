"""A turn is one call that may try several PSPs: a checkout, or a retry of one. Each has its own claim, its own chain and
its own attempts in the payment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from chalicelib.domain.claim import Claim
from chalicelib.domain.fold import Folded
from chalicelib.domain.payment import Attempt, AttemptStatus, Payment, Retry, Status
from chalicelib.domain.standing import Standing


class Verdict(StrEnum):
    OPENED = "opened"
    IN_DOUBT = "in_doubt"
    DECLINED = "declined"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer as it is sent and stored."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Answer:
    """`replayed` says that the answer was given before, byte for byte."""

    payment: Payment
    rendered: Rendered
    replayed: bool


Render = Callable[[Payment, Folded, Verdict], Rendered]


@dataclass(frozen=True, slots=True)
class Turn:
    """`retry_id` is None for the checkout itself."""

    retry_id: str | None = None

    def claim(self, payment: Payment) -> Claim:
        return payment.claim if self.retry_id is None else self._retry(payment).claim

    def with_claim(self, payment: Payment, claim: Claim) -> Payment:
        if claim is self.claim(payment):
            return payment
        if self.retry_id is None:
            return replace(payment, claim=claim)
        retries = tuple(replace(one, claim=claim) if one.id == self.retry_id else one for one in payment.retries)
        return replace(payment, retries=retries)

    def chain(self, payment: Payment) -> tuple[str, ...]:
        return payment.route.chain if self.retry_id is None else self._retry(payment).chain

    def attempts(self, payment: Payment) -> tuple[Attempt, ...]:
        """Those of this turn alone: what a later retry comes to does not change an earlier answer."""
        starts = [one.after for one in payment.retries]
        if self.retry_id is None:
            return payment.attempts[: min(starts, default=None)]
        begin = self._retry(payment).after
        return payment.attempts[begin : min((one for one in starts if one > begin), default=None)]

    def _retry(self, payment: Payment) -> Retry:
        return next(one for one in payment.retries if one.id == self.retry_id)


def verdict_of(payment: Payment, folded: Folded, turn: Turn) -> Verdict:
    """Opened when a page was opened that the shopper may see, or money moved; else in doubt while an attempt is; else why
    it failed."""
    attempts = turn.attempts(payment)
    standings = [folded.standings[one.id] for one in attempts]
    if any(one.authorized for one in standings) or any(_has_page(one, folded.standings[one.id]) for one in attempts):
        return Verdict.OPENED
    if any(one.live for one in standings) or folded.status is Status.UNKNOWN:
        return Verdict.IN_DOUBT
    if any(one.status is AttemptStatus.DECLINED for one in standings):
        return Verdict.DECLINED
    return Verdict.FAILED


def _has_page(attempt: Attempt, standing: Standing) -> bool:
    """Whether the PSP opened a page that is, or before it ended was, the shopper's."""
    return standing.opened and attempt.closed is None and (attempt.action is not None or standing.ended is not None)
