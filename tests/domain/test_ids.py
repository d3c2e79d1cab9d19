"""Ids are the same for ever: a repeated call, or a webhook of last year, must find what the first one made."""

from __future__ import annotations

import pytest

from chalicelib.domain.ids import (
    attempt_id_of,
    delivery_id_of,
    event_id_of,
    inbox_id_of,
    is_payment_id,
    notice_id_of,
    operation_id_of,
    payment_id_in,
    payment_id_of,
)

PAYMENT = payment_id_of("default", "a-key")


def test_ids_never_change_from_one_version_to_the_next() -> None:
    assert {
        "payment": payment_id_of("default", "a-key"),
        "attempt": attempt_id_of(PAYMENT, 1),
        "tenth attempt": attempt_id_of(PAYMENT, 10),
        "operation": operation_id_of(PAYMENT, "c1"),
        "event": event_id_of(PAYMENT, 7),
        "delivery": delivery_id_of("evt_1", "sub_1"),
        "inbox": inbox_id_of("default", "psp-1"),
        "notice": notice_id_of("route", "default", "shop", 7),
    } == {
        "payment": "pay_ojka34wwfp4irt5xabwclels",
        "attempt": "att_ojka34wwfp4irt5xabwclels_01",
        "tenth attempt": "att_ojka34wwfp4irt5xabwclels_10",
        "operation": "op_ojka34wwfp4irt5xabwclels_yft2a3jfhs",
        "event": "evt_ojka34wwfp4irt5xabwclels_007",
        "delivery": "dlv_k7futzf3rfxknonpjvnrcw2p",
        "inbox": "inb_ls7yr3faskaqq4r6atp2w3sq",
        "notice": "evt_nwbwjuhoijb23mjv6lfyquve",
    }


def test_what_a_key_is_made_of_is_never_mixed_up() -> None:
    assert payment_id_of("ab", "c") != payment_id_of("a", "bc")
    assert payment_id_of("a", "b") != payment_id_of("a:b", "")


@pytest.mark.parametrize("of", [attempt_id_of(PAYMENT, 1), attempt_id_of(PAYMENT, 10), operation_id_of(PAYMENT, "c1")])
def test_an_attempt_or_operation_names_its_payment(of: str) -> None:
    assert payment_id_in(of) == PAYMENT


@pytest.mark.parametrize(
    "reference",
    [
        "",
        PAYMENT,
        "att_",
        f"{attempt_id_of(PAYMENT, 1)}0",
        f"x{operation_id_of(PAYMENT, 'c1')}",
        event_id_of(PAYMENT, 1),
    ],
)
def test_whatever_else_a_psp_repeats_names_none(reference: str) -> None:
    assert payment_id_in(reference) is None


@pytest.mark.parametrize(("text", "is_one"), [(PAYMENT, True), (f"{PAYMENT}a", False), ("pay_", False)])
def test_a_payments_id_is_told_by_its_form(text: str, is_one: bool) -> None:
    assert is_payment_id(text) is is_one


def test_square_takes_the_longest() -> None:
    assert max(len(attempt_id_of(PAYMENT, 10)), len(operation_id_of(PAYMENT, "c1"))) <= 45
