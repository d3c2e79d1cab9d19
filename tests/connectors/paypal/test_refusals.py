"""What PayPal's errors prove; the scenarios show each code."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.connectors.paypal.refusals import refusal_of, said_in
from chalicelib.contracts.calls import RefusalKind
from chalicelib.contracts.conversation import HttpResponse, OutcomeUnknown

DECLINED = {
    "name": "UNPROCESSABLE_ENTITY",
    "message": "No.",
    "debug_id": "90957fca61718",
    "details": [{"issue": "INSTRUMENT_DECLINED", "description": "Another instrument may do."}],
}


def error(status: int = 422, headers: dict[str, str] | None = None, **body: Any) -> HttpResponse:
    return HttpResponse(status, headers or {}, json.dumps({**DECLINED, **body}).encode())


def test_a_refusal_tells_what_paypals_support_wants_to_know() -> None:
    said = refusal_of(error())
    wanted = "soft decline, 422 INSTRUMENT_DECLINED: Another instrument may do. (debug id 90957fca61718)"
    assert said.detail == wanted
    assert said.decline is not None
    assert said.decline.message == "Another instrument may do."


@pytest.mark.parametrize("trace", [None, "", "two words", "x" * 61, "é", "a\nb", {}, 17.5])
def test_an_odd_debug_id_is_left_out(trace: Any) -> None:
    assert "debug" not in refusal_of(error(debug_id=trace)).detail


def test_what_paypal_says_is_cut_to_what_can_be_shown() -> None:
    issue = {"issue": "INVALID_" + "X" * 5_000, "description": "y" * 5_000}
    said = refusal_of(error(details=[issue] * 1_000, debug_id="z" * 5_000))
    assert len(said.detail) < 320
    assert said.kind is RefusalKind.MISCONFIGURED


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("7", 7), ("", None), ("soon", None), ("-1", None), ("1.5", None), ("123456", None), ("\uff17", None)],
)
def test_a_wait_is_taken_where_it_is_a_number_of_seconds(given: str, wanted: int | None) -> None:
    said = refusal_of(error(429, {"retry-after": given}, name="RATE_LIMIT_REACHED", details=[]))
    assert (said.kind, said.retry_after_s) == (RefusalKind.RATE_LIMITED, wanted)


@pytest.mark.parametrize("status", [200, 201, 204, 301, 302])
def test_an_error_that_is_no_error_proves_nothing(status: int) -> None:
    with pytest.raises(OutcomeUnknown):
        refusal_of(error(status))


def test_what_was_done_before_is_no_refusal_until_it_was_read() -> None:
    done = error(details=[{"issue": "ORDER_ALREADY_CAPTURED"}])
    with pytest.raises(OutcomeUnknown):
        refusal_of(done)
    assert refusal_of(done, was_read=True).kind is RefusalKind.DECLINED


def test_that_paypal_had_this_very_call_before_is_never_a_refusal() -> None:
    with pytest.raises(OutcomeUnknown):
        refusal_of(error(details=[{"issue": "DUPLICATE_INVOICE_ID"}]), was_read=True)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{}", b'"no"', b'{"name": "X", "details": 17}', b'{"name": "X", "details": [17]}']
)
def test_what_is_no_error_of_paypals_is_unreadable(body: bytes) -> None:
    """Which the driver takes for an unknown outcome, where money was to move."""
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        said_in(HttpResponse(422, {}, body))
