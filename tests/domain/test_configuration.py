"""Which events a subscription wants."""

from __future__ import annotations

import pytest

from chalicelib.domain.configuration import Subscription
from tests.builders import NOW


@pytest.mark.parametrize(
    ("events", "event", "wanted"),
    [
        (("*",), "payment.captured", True),
        (("payment.captured",), "payment.captured", True),
        (("payment.captured",), "payment.captured_again", False),
        (("payment.*",), "payment.captured", True),
        (("payment.*",), "payments.captured", False),
        (("payment.*",), "operation.succeeded", False),
        (("payment.*",), "payout.made", False),
        (("operation.*", "payment.captured"), "payment.captured", True),
        (("payment*",), "payment.captured", False),
        ((), "payment.captured", False),
    ],
)
def test_a_subscription_wants_what_it_names(events: tuple[str, ...], event: str, wanted: bool) -> None:
    subscription = Subscription("default", "sub_1", "one", "webhook", {}, {}, events, True, 1, NOW, NOW)
    assert subscription.wants(event) is wanted
