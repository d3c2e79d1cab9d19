"""What is read of an answer: its whole body in time, or its beginning."""

from __future__ import annotations

import io
import time

import pytest
import requests
from urllib3 import HTTPResponse

from chalicelib.outbound.transport import TooSlowOrLarge, beginning_of, body_of

NEVER = float("inf")


class Drip(io.BytesIO):
    """Gives a byte at a time, and remembers how many it was asked for."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.asked: list[int] = []

    def read1(self, size: int | None = -1) -> bytes:
        self.asked.append(size if size is not None else -1)
        return super().read(1)


class Answer(requests.Response):
    given_up = False

    def close(self) -> None:
        self.given_up = True
        super().close()


def answering(drip: Drip) -> Answer:
    answer = Answer()
    answer.raw = HTTPResponse(body=drip, preload_content=False)
    return answer


@pytest.mark.parametrize(("body", "kept"), [(b"", b""), (b"abc", b"abc"), (b"abcd", b"abcd"), (b"abcdefg", b"abcd")])
def test_the_beginning_is_as_many_bytes_as_are_kept(body: bytes, kept: bytes) -> None:
    assert beginning_of(answering(Drip(body)), NEVER, 4) == kept


@pytest.mark.parametrize(("body", "used_again"), [(b"abcd", True), (b"abcde", False)])
def test_a_connection_with_something_left_is_closed(body: bytes, used_again: bool) -> None:
    answer = answering(Drip(body))
    beginning_of(answer, NEVER, 4)
    assert answer.given_up is not used_again


def test_no_more_is_asked_for_than_tells_that_there_is_more() -> None:
    drip = Drip(b"abcdefg")
    beginning_of(answering(drip), NEVER, 4)
    assert drip.asked == [5, 4, 3, 2, 1]


def test_after_its_time_nothing_is_read() -> None:
    answer = answering(Drip(b"abcd"))
    assert beginning_of(answer, time.monotonic() - 1, 4) == b""
    assert answer.given_up


def test_a_body_that_takes_too_long_is_not_waited_for() -> None:
    with pytest.raises(TooSlowOrLarge, match=r"^the answer took too long$"):
        body_of(answering(Drip(b"abcd")), time.monotonic() - 1, 4)


@pytest.mark.parametrize("size", [4, 5])
def test_a_body_has_its_size_at_most(size: int) -> None:
    answer = answering(Drip(b"x" * size))
    if size == 4:
        assert body_of(answer, NEVER, 4) == b"xxxx"
    else:
        with pytest.raises(TooSlowOrLarge, match=r"^the answer has over 4 bytes$"):
            body_of(answer, NEVER, 4)
