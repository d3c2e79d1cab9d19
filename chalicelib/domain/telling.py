"""Facts in words, for timelines: what matters first, and nothing that goes without saying."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.domain.facts import Fact, Kind, State, is_renamed

_MONEY = {Kind.AUTHORIZATION, Kind.CAPTURE, Kind.REFUND, Kind.RELEASE, Kind.DISPUTE}
_NOUN = {
    Kind.TRY: "a try",
    Kind.AUTHORIZATION: "the authorization",
    Kind.RELEASE: "the release",
    Kind.CAPTURE: "the capture",
    Kind.REFUND: "the refund",
    Kind.DISPUTE: "the dispute",
}
_STATE = {
    State.PENDING: "is pending",
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.DECLINED: "was declined",
    State.APPROVED: "was approved",
    State.INQUIRY: "is an inquiry",
    State.OPENED: "was opened",
    State.WON: "was won",
    State.LOST: "was lost",
}
_CHECKOUT = {
    State.OPEN: "the page is open",
    State.PROCESSING: "the payment is being processed",
    State.EXPIRED: "the page has expired",
    State.CANCELLED: "the shopper cancelled",
    State.FAILED: "the checkout failed",
}
_OPEN = {
    State.STARTED: "nothing",
    State.UNANSWERED: "nothing is known of it",
    State.ABSENT: "it never existed",
    State.REFUSED: "it was refused",
    State.OPENED: "it exists",
}


def words_of(facts: Iterable[Fact]) -> str:
    """A clause for each fact; that a page is open or exists is said only where there is nothing else."""
    said = [fact for fact in facts if not is_renamed(fact)]
    movements = [_clause(fact) for fact in said if fact.kind in _MONEY]
    endings = [_CHECKOUT[fact.state] for fact in said if fact.kind is Kind.CHECKOUT and fact.state is not State.OPEN]
    tries = [_clause(fact) for fact in said if fact.kind is Kind.TRY]
    rest = [_CHECKOUT[fact.state] for fact in said if fact.kind is Kind.CHECKOUT]
    rest += [_OPEN[fact.state] for fact in said if fact.kind is Kind.OPEN]
    clauses = movements + endings or tries[-1:] or rest[:1]
    return ", ".join(dict.fromkeys(clauses)) or "nothing new"


def _clause(fact: Fact) -> str:
    amount = f" of {fact.amount}" if fact.amount is not None else ""
    why = f" ({fact.decline.code})" if fact.decline is not None else ""
    return f"{_NOUN[fact.kind]}{amount} {_STATE[fact.state]}{why}"
