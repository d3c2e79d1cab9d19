"""What Adyen's webhooks say, as facts. A delivery holds one item or several, each an event of its own with its own signature.

A movement's id is the pspReference of what moved it, from the answer to our call and from each of its webhooks alike. A sale
has no capture of its own: it is named after its authorization, whether or not a CAPTURE tells of it later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.connectors.adyen.amounts import AMOUNTS
from chalicelib.connectors.adyen.references import Reference, reference_in
from chalicelib.connectors.adyen.settings import AdyenSettings
from chalicelib.connectors.adyen.signature import HOSTILE, is_genuine, items_in
from chalicelib.connectors.adyen.tables import ACTION, DISPUTE_STATUS, EVENT_CODE, REFUSAL, SUCCESS, Subject, refusal_in
from chalicelib.contracts.webhooks import AskPsp, Delivery, LeftOut
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.facts import Decline, DeclineClass, Fact, Kind, State
from chalicelib.domain.money import Money

PSP_REFERENCE = re.compile(r"[A-Za-z0-9]{1,64}")
AHEAD_MAX = timedelta(days=1)  # of our clock; what lay further ahead would outrank all that comes
_SALE = "capture:"
_STATE = {True: State.SUCCEEDED, False: State.FAILED, None: State.PENDING}
_DISPUTE = {
    Subject.INQUIRY: State.INQUIRY,
    Subject.DISPUTE: State.OPENED,
    Subject.WON_DISPUTE: State.WON,
    Subject.LOST_DISPUTE: State.LOST,
}


@dataclass(frozen=True, slots=True)
class Item:
    """`original` is the payment's own reference, empty where an item is about the payment itself. `at`: unix seconds."""

    psp_reference: str
    original: str
    ours: Reference
    money: Money
    success: bool | None
    at: int
    reason: str
    data: Mapping[str, Any]

    def fact(self, kind: Kind, id: str, state: State, amount: Money | None = None, **more: Any) -> Fact:
        return Fact(self.ours.attempt_id, kind, id, state, amount, **more)


def said_in(delivery: Delivery, keys: Sequence[str], settings: AdyenSettings) -> Sequence[Fact | AskPsp | LeftOut]:
    """What each item says by itself: one that none of the keys signed, or that makes no sense, keeps no other back. What is
    about other merchant accounts of the company is nobody's of ours. Raises Unreadable where nothing is left to say."""
    live = "true" if settings.live_url_prefix is not None else "false"
    try:
        if json.loads(delivery.body)["live"] != live:
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


def payment_reference_in(facts: Sequence[Fact]) -> str | None:
    """What Adyen calls the payment, from what is known of an attempt; None while no webhook has told."""
    moved = [fact for fact in facts if fact.kind in (Kind.AUTHORIZATION, Kind.CAPTURE)]
    names = [fact.id for fact in moved if fact.kind is Kind.AUTHORIZATION and PSP_REFERENCE.fullmatch(fact.id)]
    names += [fact.id.removeprefix(_SALE) for fact in moved if fact.id.startswith(_SALE)]
    return names[0] if names else None


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
        psp_reference=_reference(item["pspReference"]),
        original=original and _reference(original),
        ours=ours,
        money=AMOUNTS.read(item["amount"]["value"], item["amount"]["currency"]),
        success=SUCCESS.of(item["success"]),
        at=_seconds(item["eventDate"], now),
        reason=_reason(item),
        data=item.get("additionalData") or {},
    )
    if subject in _DISPUTE:
        yield from _dispute(read, _DISPUTE[subject])
    elif subject in (Subject.CAPTURE, Subject.FAILED_CAPTURE):
        yield from _capture(read, subject, in_parts)
    else:
        yield from _FACTS[subject](read)


def _authorization(item: Item) -> Iterator[Fact]:
    """A refusal ends nothing: the shopper may try again on the page. One that Adyen approves after all has the same name."""
    if item.success and item.ours.is_sale:
        yield item.fact(Kind.CAPTURE, _SALE + item.psp_reference, State.SUCCEEDED, item.money)
    elif item.success:
        yield item.fact(Kind.AUTHORIZATION, item.psp_reference, State.SUCCEEDED, item.money)
    elif item.success is False:
        declined = _decline(item)
        yield item.fact(Kind.TRY, item.psp_reference, State.DECLINED, revision=item.at, decline=declined)
    else:
        yield item.fact(Kind.TRY, item.psp_reference, State.PENDING, revision=item.at)


def _decline(item: Item) -> Decline:
    spelled = refusal_in(item.reason)
    cls, code = REFUSAL.of(spelled)
    return Decline(cls, code, spelled[:60], str(item.data.get("refusalReasonRaw") or "")[:200])


def _adjustment(item: Item) -> Iterator[Fact]:
    if item.success:
        yield item.fact(Kind.AUTHORIZATION, _payment(item), State.SUCCEEDED, item.money, revision=item.at)


def _capture(item: Item, subject: Subject, in_parts: bool) -> Iterator[Fact]:
    """A capture can fail after it succeeded. Where the account captures once only, the first gives back what it leaves."""
    failed = subject is Subject.FAILED_CAPTURE
    if failed and not item.success:
        return
    state = State.FAILED if failed else _STATE[item.success]
    reason = item.reason if state is State.FAILED else ""
    if item.ours.is_sale:
        yield from _sale(item, state, reason)
        return
    operation_id = item.ours.operation_id
    yield item.fact(Kind.CAPTURE, item.psp_reference, state, item.money, operation_id=operation_id, reason=reason)
    if operation_id and item.success and not in_parts:
        rest = f"rest:{item.psp_reference}"
        yield item.fact(Kind.RELEASE, rest, state, revision=item.at, operation_id=operation_id)


def _sale(item: Item, state: State, reason: str = "") -> Iterator[Fact]:
    """Adyen's own capture. When it fails the money is still held, and when it is tried again it has the same name."""
    if state is State.FAILED:
        yield item.fact(Kind.AUTHORIZATION, _payment(item), State.SUCCEEDED, item.money)
    if state is not State.PENDING:
        yield item.fact(Kind.CAPTURE, _SALE + _payment(item), state, item.money, revision=item.at, reason=reason)


def _void(item: Item) -> Iterator[Fact]:
    """Whatever is still held goes back. A sale that is cancelled was never captured."""
    if not item.ours.is_sale:
        state, operation_id = _STATE[item.success], item.ours.operation_id
        reason = "" if item.success else item.reason
        yield item.fact(Kind.RELEASE, item.psp_reference, state, operation_id=operation_id, reason=reason)
    elif item.success:
        yield from _sale(item, State.FAILED)
        yield item.fact(Kind.RELEASE, item.psp_reference, State.SUCCEEDED)


def _lapse(item: Item) -> Iterator[Fact]:
    """Its amount is what was authorized, not what lapsed. Nobody did it, so it is no operation."""
    if item.success:
        if item.ours.is_sale and item.original:
            yield from _sale(item, State.FAILED)
        yield item.fact(Kind.RELEASE, f"expiry:{item.psp_reference}", State.SUCCEEDED)


def _void_or_refund(item: Item) -> Iterator[Fact]:
    action = item.data.get("modification.action")
    if ACTION.of(action) is Kind.RELEASE:
        yield from _void(item)
    elif ACTION.of(action) is Kind.REFUND:
        yield from _refund(item)
    elif item.success is not False:
        yield item.fact(Kind.REFUND, item.psp_reference, State.PENDING, item.money, reason=ACTION.note(action))


def _refund(item: Item) -> Iterator[Fact]:
    yield _refunded(item, _STATE[item.success])


def _postponed_refund(item: Item) -> Iterator[Fact]:
    if item.success:
        yield _refunded(item, State.PENDING)


def _failed_refund(item: Item) -> Iterator[Fact]:
    """It was rejected, or came back."""
    if item.success:
        yield _refunded(item, State.FAILED)


def _refunded(item: Item, state: State) -> Fact:
    reason = item.reason if state is State.FAILED else ""
    operation_id = item.ours.operation_id
    return item.fact(Kind.REFUND, item.psp_reference, state, item.money, operation_id=operation_id, reason=reason)


def _closed_offer(item: Item) -> Iterator[Fact]:
    if item.success:
        lapsed = Decline(DeclineClass.SOFT, "expired", "OFFER_CLOSED")
        yield item.fact(Kind.TRY, item.psp_reference, State.DECLINED, revision=item.at, decline=lapsed)


def _dispute(item: Item, state: State) -> Iterator[Fact]:
    """All events of a dispute have its pspReference, and it goes back and forth: the later event counts."""
    if item.success:
        lost = state is State.OPENED and DISPUTE_STATUS.of(item.data.get("disputeStatus"))
        yield item.fact(
            Kind.DISPUTE,
            item.psp_reference,
            State.LOST if lost else state,
            item.money,
            revision=item.at,
            reason=item.reason,
            respond_by=_time(item.data.get("defensePeriodEndsAt")),
        )


_FACTS: dict[Subject, Callable[[Item], Iterator[Fact]]] = {
    Subject.AUTHORIZATION: _authorization,
    Subject.ADJUSTMENT: _adjustment,
    Subject.VOID: _void,
    Subject.VOID_OR_REFUND: _void_or_refund,
    Subject.LAPSE: _lapse,
    Subject.REFUND: _refund,
    Subject.POSTPONED_REFUND: _postponed_refund,
    Subject.FAILED_REFUND: _failed_refund,
    Subject.CLOSED_OFFER: _closed_offer,
}


def _named(item: Mapping[str, Any]) -> str:
    """For people to find it in the Customer Area."""
    name = item.get("pspReference")
    return f" ({name})" if isinstance(name, str) and PSP_REFERENCE.fullmatch(name) else ""


def _payment(item: Item) -> str:
    if not item.original:
        raise ValueError("a modification names the payment it is about")
    return item.original


def _reference(text: str) -> str:
    if not PSP_REFERENCE.fullmatch(text):
        raise ValueError("a pspReference is letters and digits")
    return text


def _reason(item: Mapping[str, Any]) -> str:
    said = str(item.get("reason") or "")[:100]
    return "" if said == "null" else said


def _seconds(text: str, now: datetime) -> int:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None or at > now + AHEAD_MAX:
        raise ValueError("an event has a time, and not one to come")
    return int(at.timestamp())


def _time(said: Any) -> str:
    """In UTC, RFC 3339; empty for what is no time."""
    try:
        return datetime.fromisoformat(said).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (TypeError, ValueError, OverflowError):
        return ""
