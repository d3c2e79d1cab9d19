"""A delivery as the log shows it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from chalicelib.api.deliveries import delivery_view
from chalicelib.api.models import DeliveryModel
from chalicelib.domain.configuration import DeliveryRecord, DeliveryTry, Requested
from chalicelib.services.kinds import DELIVERY
from tests.builders import NOW

EVENT = {"id": "evt_1", "type": "payment.captured"}
TRY = DeliveryTry(
    NOW, 204, 31, "delivered", "", Requested("POST", "https://shop.example/hook", ("webhook-id", "X-Tenant"))
)
RECORD = DeliveryRecord(
    *("dlv_1", "default", "sub_1", "evt_1", "payment.captured", "pay_1", json.dumps(EVENT), "succeeded"),
    created_at=NOW,
    tries=(TRY,),
    tried=1,
)


def shown(record: DeliveryRecord) -> Any:
    return delivery_view(record)["tries"][0]["request"]


def test_a_try_shows_what_was_asked() -> None:
    assert shown(RECORD) == {
        "method": "POST",
        "address": "https://shop.example/hook",
        "headers": ["webhook-id", "X-Tenant"],
    }


def test_a_try_of_a_channel_that_tells_nothing_shows_nothing() -> None:
    assert shown(replace(RECORD, tries=(replace(TRY, request=None),))) is None


def test_a_stored_try_comes_back_as_it_was() -> None:
    assert DELIVERY.decode(DELIVERY.encode(RECORD)) == RECORD


def test_a_try_that_was_stored_before_requests_were_is_still_read() -> None:
    stored = json.loads(DELIVERY.encode(RECORD))
    del stored["tries"][0]["request"]
    assert DELIVERY.decode(json.dumps(stored).encode()).tries == (replace(TRY, request=None),)


def test_the_document_describes_what_is_shown() -> None:
    described = DeliveryModel.model_fields["tries"].annotation.__args__[0].model_fields  # type: ignore[union-attr]
    assert set(described) == set(delivery_view(RECORD)["tries"][0])
