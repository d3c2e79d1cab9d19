"""What is passed on of an order, and what is left out because Adyen can not take it."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.connectors.adyen.address import address_of
from chalicelib.connectors.adyen.connector import AdyenConnector
from chalicelib.connectors.adyen.link import link_of, opened_of
from chalicelib.connectors.adyen.methods import METHODS
from chalicelib.connectors.adyen.references import Reference, modification_reference_of, reference_in
from chalicelib.domain.ids import attempt_id_of, operation_id_of, payment_id_of
from chalicelib.domain.money import Money
from chalicelib.domain.order import Address, CaptureMode, Customer, Line
from tests.connectors.adyen.samples import ATTEMPT_ID, NOW, OPERATION_ID, PAYMENT_ID, checkout


def body(**order: Any) -> dict[str, Any]:
    return link_of(checkout(**order), "Shop", 60)


def test_references_name_the_attempt_and_the_operation_and_fit() -> None:
    longest = modification_reference_of(
        attempt_id_of(payment_id_of("m", "k"), 10), operation_id_of(payment_id_of("m", "k"), "o")
    )
    assert len(longest) <= 80
    assert reference_in(f"{ATTEMPT_ID}-{OPERATION_ID}") == Reference(ATTEMPT_ID, OPERATION_ID)
    assert reference_in(ATTEMPT_ID) == Reference(ATTEMPT_ID, is_sale=True)
    assert reference_in(f"{ATTEMPT_ID}-manual") == Reference(ATTEMPT_ID)


@pytest.mark.parametrize(
    "text", ["", "order-1", f"{ATTEMPT_ID}-", f"{ATTEMPT_ID}\n", f"x{ATTEMPT_ID}", f"{ATTEMPT_ID}-op_1"]
)
def test_other_references_are_not_ours(text: str) -> None:
    assert reference_in(text) is None


def test_the_capture_is_said_for_each_payment() -> None:
    automatic, manual = body(), body(capture=CaptureMode.MANUAL)
    assert (automatic["manualCapture"], automatic["captureDelayHours"]) == (False, 0)
    assert (manual["manualCapture"], manual["reference"]) == (True, f"{ATTEMPT_ID}-manual")
    assert "captureDelayHours" not in manual


def test_a_page_lives_as_long_as_the_account_says() -> None:
    assert link_of(checkout(), "Shop", 10)["expiresAt"] == "2026-03-01T12:10:00+00:00"


@pytest.mark.parametrize(
    ("locale", "country", "wanted"),
    [
        ("nl-BE", None, "nl-BE"),
        ("nl", "NL", "nl-NL"),
        ("zh-Hant-TW", None, "zh-TW"),
        ("nl", None, None),
        ("gsw-CH", None, None),
        (None, "NL", None),
        ("EN-gb", None, "en-GB"),
    ],
)
def test_a_locale_is_a_language_and_a_country(locale: str | None, country: str | None, wanted: str | None) -> None:
    assert body(locale=locale, country=country).get("shopperLocale") == wanted


@pytest.mark.parametrize(
    ("phone", "wanted"),
    [
        ("+31 (0)20-123", "+31020123"),
        ("020 123", None),
        ("+1", None),
        ("+" + "1" * 19, None),
        ("+49/171.555", "+49171555"),
    ],
)
def test_a_phone_number_has_its_country_code_or_is_left_out(phone: str, wanted: str | None) -> None:
    assert body(customer=Customer(phone=phone)).get("telephoneNumber") == wanted


@pytest.mark.parametrize(("id", "wanted"), [("c-17", "c-17"), ("c1", None), ("me@shop.example", None), (None, None)])
def test_a_shopper_s_id_is_no_e_mail_address(id: str | None, wanted: str | None) -> None:
    assert body(customer=Customer(id=id)).get("shopperReference") == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("A  Shopper", {"firstName": "A", "lastName": "Shopper"}),
        ("Ana María de la Cruz", {"firstName": "Ana María de la", "lastName": "Cruz"}),
        ("Cher", None),
        ("x" * 100 + " " + "y" * 100, {"firstName": "x" * 80, "lastName": "y" * 80}),
        ("", None),
    ],
)
def test_a_name_has_two_parts_or_is_left_out(name: str, wanted: dict[str, str] | None) -> None:
    assert body(customer=Customer(name=name)).get("shopperName") == wanted


HOME = {"line1": "Keizersgracht 1", "city": "Amsterdam", "postal_code": "1015 CJ", "country": "NL"}


@pytest.mark.parametrize(
    ("line1", "line2", "street", "number"),
    [
        ("Keizersgracht 1", None, "Keizersgracht", "1"),
        ("Keizersgracht 12 b", None, "Keizersgracht", "12 b"),
        ("12-14 High Street", None, "High Street", "12-14"),
        ("Straße des 17. Juni 135", "Haus 2", "Straße des 17. Juni", "135 Haus 2"),
        ("The Old Mill", None, "The Old Mill", "N/A"),
        ("The Old Mill", "Unit 3", "The Old Mill", "Unit 3"),
    ],
)
def test_the_house_number_stands_by_itself(line1: str, line2: str | None, street: str, number: str) -> None:
    made = address_of(Address(**{**HOME, "line1": line1, "line2": line2}), None)
    assert made is not None
    assert (made["street"], made["houseNumberOrName"]) == (street, number)


@pytest.mark.parametrize(
    "missing",
    [
        {"line1": None},
        {"city": " "},
        {"postal_code": None},
        {"postal_code": "12345678901"},
        {"country": "US", "postal_code": "12345"},
        {"country": "US", "region": "IL", "postal_code": "1015 CJ"},
        {"country": "CA", "region": "Ontario", "postal_code": "K1A 0B1"},
    ],
)
def test_an_address_is_whole_or_left_out(missing: dict[str, Any]) -> None:
    assert address_of(Address(**{**HOME, **missing}), None) is None


def test_an_american_code_has_five_digits_and_a_state() -> None:
    made = address_of(Address(**{**HOME, "country": "US", "region": "il", "postal_code": "62701-1234"}), None)
    assert made is not None
    assert (made["postalCode"], made["stateOrProvince"]) == ("62701", "IL")


def test_a_country_that_nobody_named_is_the_shopper_s_or_unknown() -> None:
    nowhere = Address(**{**HOME, "country": None})
    assert [address_of(nowhere, country)["country"] for country in ("BE", None)] == ["BE", "ZZ"]  # type: ignore[index]


def test_lines_that_do_not_add_up_to_the_amount_are_left_out() -> None:
    book, postage = Line("Book", 2, Money(400, "EUR"), "sku-1"), Line("Postage", 1, Money(250, "EUR"))
    assert [one["id"] for one in body(lines=(book, postage))["lineItems"]] == ["sku-1", "2"]
    assert "lineItems" not in body(lines=(book,))
    assert "lineItems" not in body()


def test_lines_that_adyen_can_not_write_are_left_out() -> None:
    halves = (Line("Half", 2, Money(1050, "CVE")),)
    assert "lineItems" not in body(amount=Money(2100, "CVE"), lines=halves)


def test_metadata_is_ours_and_what_fits_of_the_merchant_s() -> None:
    given = {f"key-{number}": "v" for number in range(20)}
    given |= {"k" * 21: "v", "long": "v" * 81, "attempt_id": "theirs", "checkout.linkId": "v"}
    made = body(metadata=given)["metadata"]
    assert len(made) == 20
    assert (made["attempt_id"], made["payment_id"]) == (ATTEMPT_ID, PAYMENT_ID)
    assert not {"long", "checkout.linkId", "k" * 21} & made.keys()


def test_a_description_is_cut_and_falls_back_to_the_order() -> None:
    assert body(description="\U0001f4da" * 300)["description"] == "\U0001f4da" * 280
    assert body()["description"] == "order-1"


def test_each_method_that_is_offered_has_adyen_s_name() -> None:
    assert AdyenConnector.capabilities.payment_methods == METHODS.keys()
    assert body(payment_method="card")["allowedPaymentMethods"] == ["scheme"]
    assert "allowedPaymentMethods" not in body(payment_method="barter")


def link(**changes: Any) -> dict[str, Any]:
    asked = body()
    known = {name: asked[name] for name in ("amount", "reference", "merchantAccount")}
    said = {"id": "PL1", "status": "active", "url": "https://test.adyen.link/PL1", **known, **changes}
    return {name: value for name, value in said.items() if value is not None}


def test_an_opened_page_ends_when_adyen_says_or_else_when_we_asked() -> None:
    for said, minute in ((None, 0), ("2026-03-01T14:30:00+01:00", 30)):
        opened = opened_of(link(expiresAt=said), checkout(), body())
        assert opened.action is not None
        assert opened.action.expires_at == NOW.replace(hour=13, minute=minute)


def test_a_link_that_is_no_longer_active_has_no_page_to_go_to() -> None:
    assert opened_of(link(status="completed"), checkout(), body()).action is None


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://test.adyen.link/PL1"},
        {"url": "javascript:alert(1)"},
        {"url": "https:///PL1"},
        {"url": None},
        {"id": "../PL1"},
        {"id": None},
        {"reference": "another"},
        {"merchantAccount": "Other"},
        {"amount": {"currency": "EUR", "value": 1051}},
        {"amount": {"currency": "USD", "value": 1050}},
        {"status": None},
    ],
)
def test_an_answer_that_is_not_our_page_is_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        opened_of(link(**changes), checkout(), body())
