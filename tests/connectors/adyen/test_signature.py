"""An item is Adyen's only by its own signature, a delivery by one item that is; whatever else comes is invalid, and nothing
worse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from Adyen.util import generate_notification_sig, is_valid_hmac_notification
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.connectors.adyen.signature import ITEMS_MAX, check, is_genuine, items_in, signature_of, signed_text
from chalicelib.domain.errors import SignatureInvalid
from tests.conformance.connectors.specs import vectors_of
from tests.connectors.adyen.profile import PREVIOUS, SECRET
from tests.connectors.adyen.samples import delivery, item

SCHEME = "adyen-standard-hmac"
KEYS = st.binary(min_size=32, max_size=32).map(bytes.hex)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
ITEMS = st.fixed_dictionaries(
    {
        "pspReference": TEXT,
        "merchantAccountCode": TEXT,
        "merchantReference": TEXT,
        "amount": st.fixed_dictionaries({"value": st.integers(-(2**63), 2**63), "currency": TEXT}),
        "eventCode": TEXT,
        "success": st.sampled_from(["true", "false"]),
    },
    optional={"originalReference": TEXT, "reason": TEXT, "eventDate": TEXT},
)


def body_of(*items: dict[str, Any]) -> bytes:
    return json.dumps(
        {"live": "false", "notificationItems": [{"NotificationRequestItem": one} for one in items]}
    ).encode()


def signed(one: dict[str, Any], signature: str) -> dict[str, Any]:
    return {**one, "additionalData": {**one.get("additionalData", {}), "hmacSignature": signature}}


def test_the_published_signatures_are_good() -> None:
    vectors = [one for one in vectors_of("adyen") if one["scheme"] == SCHEME]
    assert len(vectors) >= 5
    for vector in vectors:
        one = vector["inputs"].get("item") or vector["inputs"]["body"]
        key = vector["inputs"]["hmac_key_hex"]
        check(body_of(signed(one, vector["expected"])), [key])
        with pytest.raises(SignatureInvalid):
            check(body_of(signed({**one, "pspReference": "X"}, vector["expected"])), [key])


@given(one=ITEMS, key=KEYS)
@settings(max_examples=1000, deadline=None)
def test_what_the_official_library_signs_is_good(one: dict[str, Any], key: str) -> None:
    check(body_of(signed(one, generate_notification_sig(one, key).decode())), [SECRET, key])


@given(one=ITEMS, key=KEYS)
@settings(max_examples=1000, deadline=None)
def test_what_is_signed_here_the_official_library_takes(one: dict[str, Any], key: str) -> None:
    assert is_valid_hmac_notification(signed(one, signature_of(one, bytes.fromhex(key))), key)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_forged_item_is_found_among_genuine_ones(place: int) -> None:
    told = json.loads(delivery(item("AUTHORISATION"), item("CAPTURE", "B"), item("REFUND", "C")).body)
    told["notificationItems"][place]["NotificationRequestItem"]["amount"]["value"] = 1
    body = json.dumps(told).encode()
    check(body, [SECRET])
    assert [is_genuine(one, [SECRET]) for one in items_in(body)] == [at != place for at in range(3)]


def test_an_item_without_a_signature_is_not_genuine() -> None:
    told = json.loads(delivery(item("AUTHORISATION"), item("REFUND", "C")).body)
    del told["notificationItems"][1]["NotificationRequestItem"]["additionalData"]
    assert [is_genuine(one, [SECRET]) for one in items_in(json.dumps(told).encode())] == [True, False]


def test_without_a_genuine_item_a_delivery_is_nobodys() -> None:
    told = json.loads(delivery(item("AUTHORISATION"), item("REFUND", "C")).body)
    for one in told["notificationItems"]:
        one["NotificationRequestItem"]["amount"]["value"] = 1
    with pytest.raises(SignatureInvalid):
        check(json.dumps(told).encode(), [SECRET])


def test_items_may_be_signed_with_either_live_key() -> None:
    """While the key is being replaced a delivery may hold both."""
    for key in (SECRET, PREVIOUS):
        (one,) = items_in(delivery(item("REFUND", "C"), secret=key).body)
        assert is_genuine(one, [SECRET, PREVIOUS])
        assert not is_genuine(one, [])


def test_a_delivery_without_items_says_nothing_that_could_be_genuine() -> None:
    with pytest.raises(SignatureInvalid):
        check(body_of(), [SECRET])


def test_more_items_than_adyen_ever_sends_are_refused() -> None:
    check(delivery(*[item("REFUND", f"R{number}") for number in range(ITEMS_MAX)]).body, [SECRET])
    with pytest.raises(SignatureInvalid):
        check(delivery(*[item("REFUND", f"R{number}") for number in range(ITEMS_MAX + 1)]).body, [SECRET])


@pytest.mark.parametrize("value", ["1050", 1050.0, True, [1050], {}])
def test_an_amount_of_another_type_is_never_genuine(value: object) -> None:
    """Text that reads like a signed number is not what was signed."""
    genuine = json.loads(delivery(item("AUTHORISATION")).body)
    genuine["notificationItems"][0]["NotificationRequestItem"]["amount"]["value"] = value
    with pytest.raises(SignatureInvalid):
        check(json.dumps(genuine).encode(), [SECRET])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["notificationItems", "NotificationRequestItem", "additionalData", "hmacSignature", "amount"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(one=JSON)
def test_a_hostile_item_is_only_ever_not_genuine(one: object) -> None:
    assert not is_genuine(one, [SECRET])


@given(document=JSON)
def test_hostile_documents_are_only_ever_invalid(document: object) -> None:
    with pytest.raises(SignatureInvalid):
        check(json.dumps(document).encode(), [SECRET])


@given(body=st.binary(max_size=200))
def test_hostile_bytes_are_only_ever_invalid(body: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        check(body, [SECRET])


@pytest.mark.parametrize("signature", ["", "é", "=", "AAAA", None, 1, [], {"a": 1}])
def test_a_hostile_signature_is_only_ever_invalid(signature: object) -> None:
    with pytest.raises(SignatureInvalid):
        check(body_of({**item("AUTHORISATION"), "additionalData": {"hmacSignature": signature}}), [SECRET])


def told_of(body: bytes) -> str:
    """What an operator reads in the inbox."""
    try:
        check(body, [SECRET])
    except SignatureInvalid as error:
        return error.detail
    return "genuine"


def test_an_operator_reads_why_a_delivery_was_rejected() -> None:
    one = item("AUTHORISATION")
    assert told_of(delivery(one).body) == "genuine"
    assert told_of(b"[]") == told_of(body_of()) == "The webhook is no list of signed items."
    for forged in ({**one, "eventCode": 1}, signed(one, "AAAA")):
        assert told_of(body_of(forged)) == "No item of the webhook has a signature that fits the account's HMAC key."


def test_what_an_item_does_not_have_is_signed_as_nothing() -> None:
    bare = {"pspReference": "A", "eventCode": "REPORT_AVAILABLE"}
    assert signed_text(bare) == b"A::::::REPORT_AVAILABLE:"
    assert signed_text({**bare, "amount": {"value": 5}}) == b"A::::5::REPORT_AVAILABLE:"
