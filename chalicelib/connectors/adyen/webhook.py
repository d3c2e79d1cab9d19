"""Which items of a delivery are Adyen's, and about the account. Each is an event with a signature of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from chalicelib.connectors.adyen.amounts import AMOUNTS
from chalicelib.connectors.adyen.facts import PSP_REFERENCE, Item, facts_of
from chalicelib.connectors.adyen.references import reference_in
from chalicelib.connectors.adyen.settings import AdyenSettings
from chalicelib.connectors.adyen.signature import HOSTILE, is_genuine, items_in, signed_text
from chalicelib.connectors.adyen.tables import EVENT_CODE, SUCCESS, Subject
from chalicelib.contracts.webhooks import AskPsp, Delivery, LeftOut
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.facts import Fact
from chalicelib.domain.json_text import parse

AHEAD_MAX = timedelta(days=1)  # of our clock; a try that lay further ahead would outlast all that come


def said_in(delivery: Delivery, keys: Sequence[str], settings: AdyenSettings) -> Sequence[Fact | AskPsp | LeftOut]:
    """What each item says by itself: one that none of the keys signed, or that makes no sense, keeps no other back. What is
    about other merchant accounts of the company is nobody's of ours. Raises Unreadable where nothing is left to say."""
    try:
        if not _is_of_environment(delivery.body, settings):
            raise Unreadable("The webhook is of Adyen's other environment: test and live do not mix.")
        items = items_in(delivery.body)
    except HOSTILE as error:
        raise Unreadable(f"The webhook is no standard webhook of Adyen's ({type(error).__name__}).") from None
    said: list[Fact | AskPsp] = []
    left_out: list[LeftOut] = []
    mine = 0
    for number, item in enumerate(items, 1):
        place = f"item {number} of {len(items)}"
        if not is_genuine(item, keys):
            left_out.append(LeftOut(f"{place} has no signature that fits the account's HMAC key"))
        elif item.get("merchantAccountCode") == settings.merchant_account:
            mine += 1
            try:
                said += tuple(_said(item, delivery.received_at, settings.captures_in_parts))
            except HOSTILE as error:
                left_out.append(LeftOut(f"{place}{_named(item)} makes no sense ({type(error).__name__})"))
    if not mine and not left_out:
        raise Unreadable("The webhook is for another merchant account.")
    if len(left_out) == len(items):
        raise Unreadable("; ".join(one.detail for one in left_out)[:500])
    return (*said, *left_out)


def identity_of(delivery: Delivery, keys: Sequence[str], settings: AdyenSettings) -> bytes:
    """Of what is signed of its items, each once; and whether it is of our environment, since what is not is never read. Of what
    is not read, which accounts' it is: with it any number of selections could be made."""
    try:
        signed = {_identity_of(item, settings) for item in items_in(delivery.body) if is_genuine(item, keys)}
        return repr((_is_of_environment(delivery.body, settings), sorted(signed))).encode()
    except HOSTILE:
        return delivery.whole


def _identity_of(item: Mapping[str, Any], settings: AdyenSettings) -> bytes:
    account = item.get("merchantAccountCode")
    is_read = account == settings.merchant_account and EVENT_CODE.of(item.get("eventCode")) is not Subject.NOTHING
    return signed_text(item) if is_read else str(account).encode()


def _is_of_environment(body: bytes, settings: AdyenSettings) -> bool:
    """Raises one of HOSTILE."""
    said: object = parse(body)["live"]
    return said == ("true" if settings.live_url_prefix is not None else "false")


def _said(item: Mapping[str, Any], now: datetime, in_parts: bool) -> Iterator[Fact | AskPsp]:
    subject = EVENT_CODE.of(item["eventCode"])
    if subject is Subject.NOTHING:
        return
    reference, original = item["merchantReference"], item.get("originalReference") or ""
    ours = reference_in(reference)
    if ours is None:
        if original:  # about a payment that may be ours, made in the Customer Area with another reference: people look
            yield AskPsp(reference[:80])
        return
    if ":" in item["success"]:
        raise ValueError("a field with a colon could be two of those that are signed")
    read = Item(
        event=item["eventCode"],
        psp_reference=_reference(item["pspReference"]),
        original=original and _reference(original),
        ours=ours,
        money=AMOUNTS.read(item["amount"]["value"], item["amount"]["currency"]),
        success=SUCCESS.of(item["success"]),
        at=_seconds(item.get("eventDate"), now),
        reason=_reason(item),
        data=item.get("additionalData") or {},
    )
    yield from facts_of(read, in_parts)


def _named(item: Mapping[str, Any]) -> str:
    """For people to find it in the Customer Area."""
    name = item.get("pspReference")
    return f" ({name})" if isinstance(name, str) and PSP_REFERENCE.fullmatch(name) else ""


def _reference(text: str) -> str:
    if not PSP_REFERENCE.fullmatch(text):
        raise ValueError("a pspReference is letters and digits")
    return text


def _reason(item: Mapping[str, Any]) -> str:
    said = str(item.get("reason") or "")[:100]
    return "" if said == "null" else said


def _seconds(said: Any, now: datetime) -> int:
    """0 for what is no time, or one to come: anybody may have written it."""
    try:
        at = datetime.fromisoformat(said)
        return int(at.timestamp()) if at.tzinfo is not None and at <= now + AHEAD_MAX else 0
    except (TypeError, ValueError, OverflowError):
        return 0
