"""What each error carries to whoever answers with it."""

from __future__ import annotations

import pytest

from chalicelib.domain.errors import (
    Conflict,
    Fault,
    Forbidden,
    InProgress,
    Invalid,
    MethodNotAllowed,
    NotFound,
    PaymentServerError,
    Pointer,
    Refused,
    StorageFault,
    StorageTooNew,
    TooManyRequests,
    Unauthenticated,
    leaves,
)


@pytest.mark.parametrize("error", sorted(leaves(PaymentServerError), key=str))
def test_every_error_says_what_it_is_about(error: type[PaymentServerError]) -> None:
    raised = error("why", 5) if issubclass(error, InProgress | TooManyRequests) else error("why")
    assert (raised.detail, str(raised)) == ("why", "why")
    assert isinstance(raised, (Refused, Fault))


def test_every_error_has_a_page_of_its_own_but_for_a_newer_database() -> None:
    slugs = [error.slug for error in leaves(PaymentServerError)]
    assert (
        {one for one in slugs if slugs.count(one) > 1} == {"storage-fault"} == {StorageFault.slug, StorageTooNew.slug}
    )


def test_an_error_may_carry_more() -> None:
    pointer = Pointer("/amount/value", "must be positive")
    assert (Invalid("why").errors, Invalid("why").slug) == ((), "invalid")
    assert (Invalid("why", (pointer,), slug="key-reused").errors, Invalid("why", slug="x").slug) == ((pointer,), "x")
    assert (Conflict("why").slug, Conflict("why", "attempt-still-payable").slug) == (
        "conflict",
        "attempt-still-payable",
    )
    assert (MethodNotAllowed("why").methods, MethodNotAllowed("why", frozenset({"GET"})).methods) == (set(), {"GET"})
    assert InProgress("why", 5).retry_after_s == 5
    assert (Unauthenticated("why").presented, Unauthenticated("why", False).presented) == (True, False)
    assert (Forbidden("why").scope, Forbidden("why", "payments:read").scope) == (None, "payments:read")


def test_a_leaf_has_no_children() -> None:
    assert leaves(NotFound) == {NotFound}
    assert {NotFound, StorageFault} < leaves(PaymentServerError)
    assert not {PaymentServerError, Refused, Fault} & leaves(PaymentServerError)
