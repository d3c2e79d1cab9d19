"""The body of `POST /v1/checkouts`, with every limit, and the order it becomes."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from chalicelib.api.body import Strict
from chalicelib.api.patterns import COUNTRY, CURRENCY, EMAIL, LOCALE, METHOD, TEXT, URL
from chalicelib.contracts.validation import LINE
from chalicelib.domain.errors import Invalid, Pointer
from chalicelib.domain.money import EXPONENT, VALUE_MAX, Money
from chalicelib.domain.order import Address, CaptureMode, Customer, Line, Order
from chalicelib.routing.rules import SLUG

LINES_MAX = 100
METADATA_MAX = 20
URL_MAX = 2048

CHECKOUT_EXAMPLE: dict[str, Any] = {
    "amount": {"value": 1050, "currency": "EUR"},
    "order_reference": "order-1001",
    "route": "default",
    "payment_method": "card",
    "capture": "automatic",
    "description": "Two books",
    "locale": "nl-NL",
    "country": "NL",
    "customer": {"id": "c-17", "email": "shopper@example.com", "name": "A Shopper", "phone": "+31201234567"},
    "billing_address": {
        "line1": "Keizersgracht 1",
        "line2": None,
        "city": "Amsterdam",
        "postal_code": "1015 CJ",
        "region": None,
        "country": "NL",
    },
    "shipping_address": None,
    "lines": [{"name": "Book", "quantity": 2, "unit_amount": {"value": 525, "currency": "EUR"}, "reference": "sku-1"}],
    "return_url": "https://shop.example/return",
    "cancel_url": "https://shop.example/cancel",
    "metadata": {"channel": "web"},
}


def _known_currency(code: str) -> str:
    if code not in EXPONENT:
        raise ValueError(f"{code} is no currency of ISO 4217 that people pay with")
    return code


def _reachable_url(url: str) -> str:
    parts = urlsplit(url)  # raises ValueError for a bad IPv6 address
    if parts.port == 0 or not parts.hostname:  # `.port` raises ValueError over 65535
        raise ValueError("the URL names no host and port that can be reached")
    return url


Currency = Annotated[
    str,
    Field(pattern=CURRENCY, json_schema_extra={"enum": sorted(EXPONENT)}),
    AfterValidator(_known_currency),
]
WebUrl = Annotated[str, Field(max_length=URL_MAX, pattern=URL), AfterValidator(_reachable_url)]
Country = Annotated[str, Field(pattern=COUNTRY)]
Short = Annotated[str, Field(max_length=64, pattern=LINE)]
Text = Annotated[str, Field(max_length=255, pattern=TEXT)]
MetadataKey = Annotated[str, Field(min_length=1, max_length=40, pattern=LINE)]
MetadataValue = Annotated[str, Field(max_length=500, pattern=TEXT)]


class MoneyRequest(Strict):
    """An amount to ask for."""

    value: int = Field(ge=1, le=VALUE_MAX)
    """Minor units: 1050 EUR is 10.50 euro."""
    currency: Currency
    """ISO 4217, upper case."""

    def money(self) -> Money:
        return Money(self.value, self.currency)


class PriceRequest(Strict):
    """What one piece costs; it may be nothing."""

    value: int = Field(ge=0, le=VALUE_MAX)
    """Minor units."""
    currency: Currency
    """The same as the amount's."""

    def money(self) -> Money:
        return Money(self.value, self.currency)


class CustomerRequest(Strict):
    id: Short | None = None
    """The shop's own id; a split by customer needs it."""
    email: Annotated[str, Field(max_length=254, pattern=EMAIL)] | None = None
    name: Text | None = None
    phone: Annotated[str, Field(max_length=40, pattern=LINE)] | None = None


class AddressRequest(Strict):
    line1: Text | None = None
    line2: Text | None = None
    city: Text | None = None
    postal_code: Annotated[str, Field(max_length=32, pattern=LINE)] | None = None
    region: Text | None = None
    country: Country | None = None
    """ISO 3166-1 alpha-2, upper case."""


class LineRequest(Strict):
    name: Annotated[str, Field(min_length=1, max_length=255, pattern=TEXT)]
    quantity: int = Field(ge=1, le=1_000_000)
    unit_amount: PriceRequest
    reference: Short | None = None
    """The shop's own article number."""


class CheckoutRequest(Strict):
    """A checkout to open. Only `amount`, `order_reference` and `return_url` are required."""

    amount: MoneyRequest
    order_reference: Annotated[str, Field(min_length=1, max_length=64, pattern=LINE)]
    """The shop's own reference; several payments may share it."""
    return_url: WebUrl
    """Where the shopper goes afterwards. Where the PSP needs her to come back through PaymentServer first, `payment_id` is
    added to its query."""
    cancel_url: WebUrl | None = None
    """Where the shopper goes after giving up; `return_url` by default."""
    route: str = Field("default", pattern=SLUG)
    """The route that chooses the PSP."""
    payment_method: Annotated[str, Field(pattern=METHOD)] | None = None
    """For example `card` or `ideal`; left out, the PSP's page offers what the account has."""
    capture: Literal["automatic", "manual"] = "automatic"
    """`manual` authorizes alone; a capture then takes the money."""
    description: Text | None = None
    """What the shopper reads on the PSP's page or the bank statement."""
    locale: Annotated[str, Field(max_length=35, pattern=LOCALE)] | None = None
    """A BCP 47 language tag, such as `nl-NL`."""
    country: Country | None = None
    """The shopper's, ISO 3166-1 alpha-2, upper case."""
    customer: CustomerRequest | None = None
    billing_address: AddressRequest | None = None
    shipping_address: AddressRequest | None = None
    lines: Annotated[list[LineRequest], Field(max_length=LINES_MAX)] | None = None
    """What was ordered, all in the amount's currency."""
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=METADATA_MAX)] | None = None
    """Comes back with the payment, and routes can ask for it."""

    @model_validator(mode="after")
    def _one_currency(self) -> CheckoutRequest:
        """Raises Invalid itself, because a model's own error could not name the line."""
        asked = self.amount.currency
        wrong = tuple(
            Pointer(f"/lines/{position}/unit_amount/currency", f"must be {asked}, as the amount is")
            for position, line in enumerate(self.lines or ())
            if line.unit_amount.currency != asked
        )
        if wrong:
            raise Invalid(f"{wrong[0].pointer}: {wrong[0].detail}", wrong[:20])
        return self


def order_of(request: CheckoutRequest) -> Order:
    """What the merchant asks for, with the defaults filled in."""
    return Order(
        amount=request.amount.money(),
        order_reference=request.order_reference,
        return_url=request.return_url,
        cancel_url=request.cancel_url or request.return_url,
        route=request.route,
        payment_method=request.payment_method,
        capture=CaptureMode(request.capture),
        description=request.description,
        locale=request.locale,
        country=request.country,
        customer=Customer(**request.customer.model_dump()) if request.customer else None,
        billing_address=_address_of(request.billing_address),
        shipping_address=_address_of(request.shipping_address),
        lines=tuple(
            Line(line.name, line.quantity, line.unit_amount.money(), line.reference) for line in request.lines or ()
        ),
        metadata=dict(request.metadata) if request.metadata else None,
    )


def _address_of(request: AddressRequest | None) -> Address | None:
    return Address(**request.model_dump()) if request else None
