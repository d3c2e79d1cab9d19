"""What Paystack's answers say: its data, its definite no, or nothing that proves anything.

Every answer is `{"status": true|false, "message": …, "data": …}`. By its documentation a 400 "was not fulfilled", a 401 was not
authorized, a 404 names nothing there is, and a 5xx is an error of its own.
"""

from __future__ import annotations

from typing import Any

from chalicelib.connectors.paystack.tables import ERROR_CODE, ERROR_MESSAGE, ERROR_TYPE, Fault
from chalicelib.contracts.calls import Refusal, RefusalKind
from chalicelib.contracts.conversation import HttpResponse

_NOT_FULFILLED = (400, 401, 403, 404, 422)


def data_of(response: HttpResponse) -> Any:
    """The data of an answer that says that the call worked. Raises ValueError for every other."""
    body = response.json()
    if response.status not in (200, 201) or not isinstance(body, dict) or body.get("status") is not True:
        raise ValueError(f"the answer {response.status} has no data")
    return body.get("data")


def object_of(response: HttpResponse) -> dict[str, Any]:
    data = data_of(response)
    if not isinstance(data, dict):
        raise ValueError("the answer's data is no object")
    return data


def refusal_of(response: HttpResponse) -> Refusal | None:
    """Paystack's definite no; None for an answer that says something else. Raises ValueError where a no proves nothing."""
    if response.status == 429:
        after = response.headers.get("retry-after", "")
        return Refusal(
            RefusalKind.RATE_LIMITED, _message_of(response), retry_after_s=int(after) if _is_count(after) else None
        )
    if response.status not in _NOT_FULFILLED:
        return None
    if fault_of(response) in (Fault.CONFLICT, Fault.UNKNOWN):
        raise ValueError("the answer's no does not say that nothing was done")
    return Refusal(RefusalKind.MISCONFIGURED, _message_of(response))


def is_absent(response: HttpResponse) -> bool:
    return response.status in _NOT_FULFILLED and fault_of(response) is Fault.ABSENT


def fault_of(response: HttpResponse) -> Fault:
    """By code and message, else by its type; an older one without a type is what its status says."""
    body = response.json()
    if not isinstance(body, dict) or body.get("status") is not False:
        return Fault.UNKNOWN
    message = str(body.get("message", "")).lower().rstrip(".")
    known = ERROR_CODE.of(body.get("code")) or ERROR_MESSAGE.of(message)
    if known is not None:
        return known
    return ERROR_TYPE.of(body["type"]) if body.get("type") else Fault.REFUSED


def _message_of(response: HttpResponse) -> str:
    """A rate limit may come from before the API, as a page."""
    try:
        body = response.json()
    except ValueError:
        body = None
    message = body.get("message") if isinstance(body, dict) else None
    return message[:300] if isinstance(message, str) else f"Paystack answered {response.status}."


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6
