"""What PayPal's order says, as facts. An order has one purchase unit of ours; each authorization, capture and refund in it is
a movement under PayPal's own id, whether an answer or a read tells of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.connectors.paypal.amounts import AMOUNTS
from chalicelib.connectors.paypal.places import operation_in
from chalicelib.connectors.paypal.tables import (
    APPROVED,
    AUTHORIZATION_STATUS,
    CAPTURE_STATUS,
    DISPUTE_OUTCOME,
    DISPUTE_STAGE,
    DISPUTE_STATUS,
    ORDER_STATUS,
    REFUND_STATUS,
    Hold,
)
from chalicelib.domain.facts import Decline, Fact, Kind, State
from chalicelib.domain.money import Money

Json = Mapping[str, Any]


def money_in(thing: Json, field: str = "amount") -> Money:
    return AMOUNTS.read(thing[field]["value"], thing[field]["currency_code"])


def unit_in(order: Json) -> Json:
    """The one purchase unit; an answer may leave it out."""
    units: Sequence[Json] = order.get("purchase_units") or ({},)
    return units[0]


def reason_in(thing: Json, note: str) -> str:
    """Why PayPal does not let it through yet, such as a review; `note` where its status is a word nobody has heard of."""
    return note or str((thing.get("status_details") or {}).get("reason") or "")[:100]


def payments_in(order: Json, what: str) -> list[Json]:
    """`what`: authorizations, captures or refunds."""
    return list((unit_in(order).get("payments") or {}).get(what) or ())


def seconds_in(thing: Json, field: str = "update_time") -> int:
    """Unix seconds, 0 where PayPal does not say."""
    text = str(thing.get(field) or "")
    return int(datetime.fromisoformat(text.upper().replace("Z", "+00:00")).timestamp()) if text else 0


def is_named(order: Json, attempt_id: str) -> bool:
    """Whether an order that was read says that it is this attempt's: by the `custom_id` or `invoice_id` that we gave it.
    One that somebody else opened at the account may have neither."""
    unit, moved = unit_in(order), [*payments_in(order, "authorizations"), *payments_in(order, "captures")]
    by_custom_id = attempt_id in [one.get("custom_id") for one in (unit, *moved)]
    return by_custom_id or str(unit.get("invoice_id") or "").endswith(attempt_id)


def order_facts(order: Json, attempt_id: str) -> tuple[Fact, ...]:
    """All facts of one order. Raises KeyError, TypeError or ValueError on what is no order of this attempt."""
    if unit_in(order).get("custom_id", attempt_id) != attempt_id:
        raise ValueError("the order is another attempt's")
    id, status = str(order["id"]), str(order["status"])
    holds, captures = payments_in(order, "authorizations"), payments_in(order, "captures")
    taken = any(CAPTURE_STATUS.of(one["status"]) is not State.FAILED for one in captures)
    denied = bool(holds) and not in_turn(holds)
    state = State.FAILED if denied else State.OPEN if taken else ORDER_STATUS.of(status)  # what was taken ends no page
    facts = [Fact(attempt_id, Kind.CHECKOUT, id, state, reason=ORDER_STATUS.note(status))]
    if status == APPROVED:
        facts.append(Fact(attempt_id, Kind.TRY, f"approval:{id}", State.APPROVED))
    facts += hold_facts(holds, captures, attempt_id)
    facts += [capture_fact(one, attempt_id) for one in captures]
    facts += [refund_fact(one, attempt_id) for one in payments_in(order, "refunds")]
    return tuple(facts)


def become_of(hold: Json) -> Hold:
    return AUTHORIZATION_STATUS.of(hold["status"])


def in_turn(holds: list[Json]) -> list[Json]:
    """Authorizations as they were made, without those that were denied: the first, and what somebody reauthorized since.
    They are one hold. PayPal captures the newest and voids the first (its errors CANNOT_BE_VOIDED and
    REAUTHORIZATION_NOT_SUPPORTED; developer.paypal.com/docs/checkout/advanced/authorization-honor)."""
    return sorted((one for one in holds if become_of(one) is not Hold.DENIED), key=_made)


def current_of(holds: list[Json]) -> Json | None:
    """The newest authorization that holds the money, or held what was captured; else one that waits, else one that is over."""
    for among in ((Hold.HELD, Hold.ENDED), (Hold.PENDING,), (Hold.VOIDED,)):
        found = [one for one in in_turn(holds) if become_of(one) in among]
        if found:
            return found[-1]
    return None


def hold_facts(holds: list[Json], captures: list[Json], attempt_id: str) -> Iterator[Fact]:
    """An order's one hold, under its first authorization's id, which each one that followed adjusts; and what was denied.
    `captures` are all of the order's: the last one gives back what was not captured."""
    for one in holds:
        if become_of(one) is Hold.DENIED:
            yield _authorization(one, one, money_in(one), State.FAILED, len(holds) - 1, attempt_id)
    turns, current = in_turn(holds), current_of(holds)
    if current is None:
        return
    first, become = turns[0], become_of(current)
    moved = [one for one in captures if CAPTURE_STATUS.of(one["status"]) is not State.FAILED]
    amount = _held_in_all(first, current, moved)
    state = State.PENDING if become is Hold.PENDING else State.SUCCEEDED
    yield _authorization(first, current, amount, state, turns.index(current), attempt_id)
    if become is Hold.VOIDED:
        yield void_fact(first, first, attempt_id)
        return
    rest = amount.value - sum(money_in(one).value for one in moved)
    last = next((one for one in moved if one.get("final_capture") is True and not _is_before(one, current)), None)
    if rest > 0 and state is State.SUCCEEDED and (last is not None or become is Hold.ENDED):
        given_back = Money(rest, amount.currency)
        whose = operation_in(last) if last is not None else None
        yield Fact(attempt_id, Kind.RELEASE, f"rest:{first['id']}", State.SUCCEEDED, given_back, operation_id=whose)


def _made(thing: Json) -> str:
    return str(thing.get("create_time") or "")


def _is_before(capture: Json, hold: Json) -> bool:
    """Whether it was of an authorization that `hold` followed."""
    return "" < _made(capture) < _made(hold)


def _authorization(first: Json, hold: Json, amount: Money, state: State, revision: int, attempt_id: str) -> Fact:
    why = reason_in(hold, AUTHORIZATION_STATUS.note(hold["status"]))
    return Fact(attempt_id, Kind.AUTHORIZATION, str(first["id"]), state, amount, revision, reason=why)


def _held_in_all(first: Json, current: Json, moved: list[Json]) -> Money:
    """What the current authorization is for, with what was captured before it of an earlier one, up to what that was for."""
    amount = money_in(current)
    before = sum(money_in(one).value for one in moved if _is_before(one, current))
    return Money(max(amount.value, min(amount.value + before, money_in(first).value)), amount.currency)


def void_fact(hold: Json, first: Json, attempt_id: str, operation_id: str | None = None) -> Fact:
    """`hold` was voided, and with it all that followed the `first`. PayPal voids by itself what had its time."""
    expires_s = seconds_in(hold, "expiration_time")
    lapsed = 0 < expires_s <= seconds_in(hold)
    name = f"expiry:{first['id']}" if lapsed else f"void:{first['id']}"
    return Fact(attempt_id, Kind.RELEASE, name, State.SUCCEEDED, operation_id=None if lapsed else operation_id)


def capture_fact(capture: Json, attempt_id: str) -> Fact:
    status = capture["status"]
    return Fact(
        attempt_id,
        Kind.CAPTURE,
        str(capture["id"]),
        CAPTURE_STATUS.of(status),
        money_in(capture),
        operation_id=operation_in(capture),
        reason=reason_in(capture, CAPTURE_STATUS.note(status)),
    )


def refund_fact(refund: Json, attempt_id: str) -> Fact:
    status = refund["status"]
    return Fact(
        attempt_id,
        Kind.REFUND,
        str(refund["id"]),
        REFUND_STATUS.of(status),
        money_in(refund),
        operation_id=operation_in(refund),
        reason=reason_in(refund, REFUND_STATUS.note(status)),
    )


def declined_facts(order: Json, attempt_id: str, decline: Decline, *, ends: bool) -> tuple[Fact, ...]:
    """PayPal would not pay what the shopper approved. `ends`: she can not make it good on PayPal's page."""
    id, at_s = str(order["id"]), seconds_in(order)
    tried = Fact(attempt_id, Kind.TRY, f"{id}:{at_s}", State.DECLINED, revision=at_s, decline=decline)
    checkout = Fact(attempt_id, Kind.CHECKOUT, id, State.FAILED if ends else State.OPEN)
    return (checkout, tried)


def dispute_fact(dispute: Json, attempt_id: str) -> Fact:
    """A dispute can go back: an appeal opens one that was decided. Its own last change tells which is newer."""
    stage, outcome = dispute.get("dispute_life_cycle_stage"), dispute.get("dispute_outcome") or {}
    decided = DISPUTE_STATUS.of(dispute.get("status"))
    state = DISPUTE_OUTCOME.of(outcome.get("outcome_code")) if decided else None
    return Fact(
        attempt_id,
        Kind.DISPUTE,
        str(dispute["dispute_id"]),
        state or DISPUTE_STAGE.of(stage),
        money_in(dispute, "dispute_amount"),
        revision=seconds_in(dispute) or seconds_in(dispute, "create_time"),
        reason=DISPUTE_STAGE.note(stage) or str(dispute.get("reason") or "")[:100],
        respond_by=str(dispute.get("seller_response_due_date") or "")[:40],
    )
