"""The bodies of what is done to a payment after its checkout: captures, cancellations, refunds, retries, resolutions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chalicelib.api.body import Strict
from chalicelib.api.models_checkout import MoneyRequest
from chalicelib.contracts.validation import LINE

_ATTEMPT = Field(None, min_length=1, max_length=45, pattern=LINE)


class CaptureRequest(Strict):
    amount: MoneyRequest | None = None
    """All that is left to capture, where it is left out."""
    final: bool = False
    """Whether this is the last capture: what is not captured is given back."""
    attempt_id: str | None = _ATTEMPT
    """The attempt with most left, where it is left out."""


class CancellationRequest(Strict):
    reason: str | None = Field(None, max_length=200, pattern=LINE)
    """For your own records."""
    attempt_id: str | None = _ATTEMPT
    """The attempt whose held money is given back; the one with most, where it is left out."""


class RefundRequest(Strict):
    amount: MoneyRequest | None = None
    """All that is left to refund, where it is left out."""
    reason: str | None = Field(None, max_length=200, pattern=LINE)
    """For your own records; passed on where the PSP takes one."""
    attempt_id: str | None = _ATTEMPT
    """The attempt with most left, where it is left out."""


class RetryRequest(Strict):
    connection_id: str | None = Field(None, min_length=1, max_length=40, pattern=LINE)
    """The connection to try; the next one of the route's chain, where it is left out."""
    supersede: bool = False
    """Go on although the shopper could still pay on an earlier page: money that comes there is late."""


class ResolutionRequest(Strict):
    attempt_id: str = Field(min_length=1, max_length=45, pattern=LINE)
    outcome: Literal["accept", "refund", "found", "not_paid", "succeeded", "failed"]
    """`accept` or `refund` money that the PSP reports in an odd amount, that is under review, or that the PSP refused to
    give back. `found` (with `psp_reference`) or `not_paid` for an attempt that got no answer; a wrong `psp_reference` can be
    named anew until the PSP has answered to one. `succeeded` or `failed` for an operation (`operation_id`) that the PSP can
    not be asked about."""
    note: str = Field(min_length=1, max_length=500, pattern=LINE)
    """How you know; it stands in the audit log."""
    operation_id: str | None = Field(None, min_length=1, max_length=45, pattern=LINE)
    psp_reference: str | None = Field(None, min_length=1, max_length=200, pattern=LINE)
