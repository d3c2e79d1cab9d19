"""The sandbox's one error: a definite no, with its HTTP status and code."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """Answers `{"error": {"code", "message", "decline_code"?}}`."""

    def __init__(
        self, status: int, code: str, message: str, *, decline_code: str | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.decline_code, self.retry_after_s = decline_code, retry_after_s

    @property
    def body(self) -> dict[str, Any]:
        error = {"code": self.code, "message": self.message}
        if self.decline_code is not None:
            error["decline_code"] = self.decline_code
        return {"error": error}


def invalid(message: str) -> Refused:
    return Refused(422, "invalid_request", message)


def not_found(what: str) -> Refused:
    return Refused(404, "not_found", f"There is no such {what}.")
