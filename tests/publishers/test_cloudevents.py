"""An event's attributes, and what it is ordered by."""

from __future__ import annotations

import json

import pytest

from chalicelib.contracts.publisher import Publication
from chalicelib.publishers.cloudevents import attributes_of, headers_of, ordering_key_of


def publication(payment_id: str | None, **event: object) -> Publication:
    return Publication("evt_1", "payment.captured", payment_id, json.dumps(event).encode())


def test_attributes_are_text_and_the_data_is_none_of_them() -> None:
    assert attributes_of(publication("pay_1", id="evt_1", sequence=2, data={"a": 1}, datacontenttype="x")) == {
        "id": "evt_1",
        "sequence": "2",
    }


def test_headers_have_the_prefix_of_the_binding() -> None:
    assert headers_of(publication("pay_1", id="evt_1"), "cloudEvents:") == {"cloudEvents:id": "evt_1"}


@pytest.mark.parametrize(
    ("payment_id", "event", "key"),
    [
        ("pay_1", {"subject": "pay_2"}, "pay_1"),
        (None, {"subject": "sub_1"}, "sub_1"),
        (None, {}, "payment.captured"),
    ],
)
def test_the_order_is_kept_by_payment_subject_or_type(payment_id: str | None, event: dict[str, str], key: str) -> None:
    assert ordering_key_of(publication(payment_id, **event)) == key


def test_a_body_that_is_no_event_is_an_error() -> None:
    with pytest.raises(ValueError, match="JSON object"):
        attributes_of(Publication("evt_1", "test", None, b"[]"))
