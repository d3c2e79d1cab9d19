"""What one item of a webhook says, as facts.

A movement's id is the pspReference of what moved it, from the answer to our call and from each of its webhooks alike. A sale is
named after its authorization until a CAPTURE tells by which reference Adyen captured it.

The time of an event is not signed: it orders tries, and nothing else. Of two events about one thing the code, which is signed,
says which comes after the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.connectors.adyen.references import Reference
from chalicelib.connectors.adyen.tables import (
    ACTION,
    DISPUTE_STAGE,
    DISPUTE_STATUS,
    EVENT_CODE,
    REFUSAL,
    Subject,
    refusal_in,
)
from chalicelib.domain.facts import IN_DOUBT, Decline, DeclineClass, Fact, Kind, State, renamed
from chalicelib.domain.money import Money

PSP_REFERENCE = re.compile(r"[A-Za-z0-9]{1,64}")
_SALE = "capture:"
_TOLD = 1  # the revision of what outweighs that an authorization alone tells of a sale
_LAPSE = "expiry:"  # what was released by nobody's operation is named so
_STATE = {True: State.SUCCEEDED, False: State.FAILED, None: State.PENDING}
_DISPUTE = {
    Subject.INQUIRY: State.INQUIRY,
    Subject.DISPUTE: State.OPENED,
    Subject.WON_DISPUTE: State.WON,
    Subject.LOST_DISPUTE: State.LOST,
}


@dataclass(frozen=True, slots=True)
class Item:
    """`original` is the payment's own reference, empty where an item is about the payment itself. `at`: unix seconds, 0 where
    it says none. `reason` and `data` are not signed."""

    event: str
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


def facts_of(item: Item, in_parts: bool) -> Iterator[Fact]:
    """`in_parts`: the account has multiple partial captures. Raises ValueError for what makes no sense."""
    subject = EVENT_CODE.of(item.event)
    if subject in _DISPUTE:
        yield from _dispute(item, _DISPUTE[subject])
    elif subject in (Subject.CAPTURE, Subject.FAILED_CAPTURE):
        yield from _capture(item, subject, in_parts)
    else:
        yield from _FACTS[subject](item)


def payment_reference_in(facts: Sequence[Fact]) -> str | None:
    """What Adyen calls the payment, from what is known of an attempt; None while no webhook has told."""
    moved = [fact for fact in facts if fact.kind in (Kind.AUTHORIZATION, Kind.CAPTURE)]
    names = [fact.id for fact in moved if fact.kind is Kind.AUTHORIZATION and PSP_REFERENCE.fullmatch(fact.id)]
    names += [fact.id.removeprefix(_SALE) for fact in moved if fact.id.startswith(_SALE)]
    return names[0] if names else None


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
    listed = spelled in REFUSAL.meanings
    told = str(item.data.get("refusalReasonRaw") or "") or ("" if listed else item.reason)
    return Decline(cls, code, spelled if listed else "", _unsigned(told[:200]))


def _adjustment(item: Item) -> Iterator[Fact]:
    """Nothing that is signed says which of several came last, so the largest counts: Adyen captures no more than it holds."""
    if item.success:
        yield item.fact(Kind.AUTHORIZATION, _payment(item), State.SUCCEEDED, item.money, revision=1)


def _capture(item: Item, subject: Subject, in_parts: bool) -> Iterator[Fact]:
    """A capture can fail after it succeeded. Where the account captures once only, the first gives back what it leaves
    (docs.adyen.com, api-explorer, /captures: any unclaimed amount after a partial capture gets cancelled), whoever made it;
    what one by hand leaves is nobody's cancellation.
    """
    failed = subject is Subject.FAILED_CAPTURE
    if failed and not item.success:
        return
    state = State.FAILED if failed else _STATE[item.success]
    reason = _unsigned(item.reason) if state is State.FAILED else ""
    if item.ours.is_sale:
        yield from _sale(item, subject, state, reason)
        return
    operation_id = item.ours.operation_id
    yield item.fact(Kind.CAPTURE, item.psp_reference, state, item.money, operation_id=operation_id, reason=reason)
    if item.success and not in_parts:
        rest = f"{'' if operation_id else _LAPSE}rest:{item.psp_reference}"
        yield item.fact(Kind.RELEASE, rest, state, revision=int(failed), operation_id=operation_id)


def _sale(item: Item, subject: Subject, state: State, reason: str) -> Iterator[Fact]:
    """Adyen's own capture, by its own name from here on. When it fails the money is still held, and another may be made.

    A capture that Adyen refused may be its own or somebody's who captured by hand what Adyen had captured before; where no
    event told of its own, nothing says which. So that one is under way until an event tells, or an operator.
    """
    if state is State.PENDING:
        return
    own = _SALE + _payment(item)
    if state is State.FAILED:
        yield item.fact(Kind.AUTHORIZATION, _payment(item), State.SUCCEEDED, item.money)
    yield item.fact(Kind.CAPTURE, item.psp_reference, state, item.money, reason=reason)
    if state is State.FAILED and subject is Subject.CAPTURE:
        yield item.fact(Kind.CAPTURE, own, State.PENDING, item.money, revision=_TOLD, reason=IN_DOUBT)
    else:
        yield renamed(item.ours.attempt_id, own)


def _never_captured(item: Item) -> Iterator[Fact]:
    """A sale whose money was given back before Adyen captured it."""
    yield item.fact(Kind.AUTHORIZATION, _payment(item), State.SUCCEEDED, item.money)
    yield item.fact(Kind.CAPTURE, _SALE + _payment(item), State.FAILED, item.money, revision=_TOLD)


def _void(item: Item) -> Iterator[Fact]:
    """Whatever is still held goes back. A sale that is cancelled was never captured."""
    if not item.ours.is_sale:
        state, operation_id = _STATE[item.success], item.ours.operation_id
        reason = "" if item.success else _unsigned(item.reason)
        yield item.fact(Kind.RELEASE, item.psp_reference, state, operation_id=operation_id, reason=reason)
    elif item.success:
        yield from _never_captured(item)
        yield item.fact(Kind.RELEASE, item.psp_reference, State.SUCCEEDED)


def _lapse(item: Item) -> Iterator[Fact]:
    """Its amount is what was authorized, not what lapsed. Nobody did it, so it is no operation."""
    if item.success:
        if item.ours.is_sale and item.original:
            yield from _never_captured(item)
        yield item.fact(Kind.RELEASE, _LAPSE + item.psp_reference, State.SUCCEEDED)


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
    reason = _unsigned(item.reason) if state is State.FAILED else ""
    operation_id = item.ours.operation_id
    return item.fact(Kind.REFUND, item.psp_reference, state, item.money, operation_id=operation_id, reason=reason)


def _closed_offer(item: Item) -> Iterator[Fact]:
    if item.success:
        lapsed = Decline(DeclineClass.SOFT, "expired", "OFFER_CLOSED")
        yield item.fact(Kind.TRY, item.psp_reference, State.DECLINED, revision=item.at, decline=lapsed)


def _dispute(item: Item, state: State) -> Iterator[Fact]:
    """All events of a dispute have its pspReference, and it goes back and forth: the later stage counts. Until when it can be
    answered is not signed, and no call of Adyen's tells; a false day could have it lost, so none is told."""
    if item.success:
        lost = state is State.OPENED and DISPUTE_STATUS.of(item.data.get("disputeStatus"))
        yield item.fact(
            Kind.DISPUTE,
            item.psp_reference,
            State.LOST if lost else state,
            item.money,
            revision=DISPUTE_STAGE[item.event],
            reason=_unsigned(item.reason),
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


def _payment(item: Item) -> str:
    if not item.original:
        raise ValueError("a modification names the payment it is about")
    return item.original


def _unsigned(text: str) -> str:
    """A text for people, who may take it for Adyen's word: whoever holds the item can have written it."""
    return f"{text} (not signed)" if text else ""
