"""What another route would have decided, from what a payment kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.configuration import Route
from chalicelib.domain.order import Order
from chalicelib.domain.payment import Considered, Decision
from chalicelib.routing.engine import engine_of
from chalicelib.routing.fields import inputs_of
from chalicelib.routing.plan import Candidate, plan
from chalicelib.routing.replay import Choice, Replayed, replay
from tests.builders import NOW, PAYMENT_ID
from tests.routing.strategies import CONNECTIONS, orders, routes
from tests.routing.test_plan import CAN, ORDER, candidates

TODAY = {name: Candidate(name, True, CAN) for name in CONNECTIONS}
REASON = "it takes no EUR"


def decided(document: dict[str, Any], order: Order, known: list[Candidate], payment_id: str = PAYMENT_ID) -> Decision:
    """As a checkout would."""
    seen, by_name = inputs_of(order, NOW), {one.connection_id: one for one in known}
    winner = engine_of("default", "a-route", document).decide(seen, payment_id)
    route = Route("default", "a-route", document, 1, NOW, NOW)
    return plan(order, route, winner, seen, [by_name[name] for name in winner.chain.use])


def replayed(document: dict[str, Any], decision: Decision, order: Order = ORDER) -> Replayed:
    return replay(engine_of("default", "a-route", document), PAYMENT_ID, order, decision, TODAY.__getitem__)


def use(*names: str, **more: Any) -> dict[str, Any]:
    return {"name": "a-route", "rules": [], "otherwise": {"use": list(names)}, **more}


DECISION = decided(use("psp-1", "psp-2"), ORDER, list(TODAY.values()))


def with_candidates(*candidates: Considered) -> Decision:
    return replace(DECISION, candidates=candidates)


@given(routes(), orders(), candidates(), st.sampled_from([PAYMENT_ID, "pay_another"]))
def test_a_version_replayed_on_its_own_payments_changes_nothing(
    document: dict[str, Any], order: Order, known: list[Candidate], payment_id: str
) -> None:
    """Whatever became of the connections since: nobody asks."""
    decision = decided(document, order, known, payment_id)
    engine = engine_of("default", "a-route", document)
    found = replay(engine, payment_id, order, decision, {}.__getitem__)
    same = Choice(decision.rule, decision.arm, decision.chain)
    assert found == Replayed(same, same, "")
    assert not found.changed
    assert not found.moved


@given(routes(), routes(), orders(), candidates(), candidates())
def test_a_draft_decides_as_it_would_have_then_for_connections_that_were_asked_then_and_says_why(
    active: dict[str, Any], draft: dict[str, Any], order: Order, then: list[Candidate], now: list[Candidate]
) -> None:
    decision = decided(active, order, then)
    were = {one.connection_id for one in decision.candidates}
    mixed = [
        old if old.connection_id in were else replace(new, health="closed") for old, new in zip(then, now, strict=True)
    ]
    wanted = decided(draft, order, mixed)
    today = {one.connection_id: one for one in now}
    found = replay(engine_of("default", "a-route", draft), PAYMENT_ID, order, decision, today.__getitem__)
    assert found.after == Choice(wanted.rule, wanted.arm, wanted.chain)
    assert found.changed == (found.why != "")


def test_a_connection_stays_as_unable_as_it_was() -> None:
    decision = with_candidates(Considered("psp-1"), Considered("psp-2", REASON))
    found = replayed(use("psp-2", "psp-1"), decision)
    assert found.after.chain == ("psp-1",)


def test_a_circuit_stays_as_open_as_it_was() -> None:
    decision = with_candidates(Considered("psp-1"), Considered("psp-2", health="open"))
    assert replayed(use("psp-2", "psp-1"), decision).after.chain == ("psp-1", "psp-2")


def test_a_connection_that_was_no_candidate_counts_as_well() -> None:
    ill = {**TODAY, "psp-3": replace(TODAY["psp-3"], health="open")}
    engine = engine_of("default", "a-route", use("psp-3", "psp-1"))
    found = replay(engine, PAYMENT_ID, ORDER, DECISION, ill.__getitem__)
    assert found.after.chain == ("psp-3", "psp-1")


def test_a_connection_that_was_no_candidate_may_not_be_able_today() -> None:
    today = {**TODAY, "psp-3": replace(TODAY["psp-3"], usable=False)}
    found = replay(
        engine_of("default", "a-route", use("psp-3", "psp-1")), PAYMENT_ID, ORDER, DECISION, today.__getitem__
    )
    assert found.after.chain == ("psp-1",)
    assert "psp-3 could not take it: the connection is disabled or deleted." in found.why


def test_a_payment_that_nobody_could_take_has_no_chain() -> None:
    decision = with_candidates(Considered("psp-1", REASON), Considered("psp-2", REASON))
    found = replayed(use("psp-2"), decision)
    assert (found.after.first, found.moved) == (None, True)


def test_another_second_psp_changes_a_payment_and_does_not_move_it() -> None:
    found = replayed(use("psp-1"), DECISION)
    assert (found.changed, found.moved) == (True, False)


def test_another_rule_with_the_same_chain_changes_nothing() -> None:
    everything = {
        "name": "all",
        "when": {"field": "amount", "op": "gte", "value": 1},
        "then": {"use": ["psp-1", "psp-2"]},
    }
    found = replayed(use("psp-3", rules=[everything]), DECISION)
    assert (found.after.rule, found.changed, found.why) == ("all", False, "")


def test_why_another_rule_decides() -> None:
    large = {"name": "large", "when": {"field": "amount", "op": "gte", "value": 1}, "then": {"use": ["psp-2", "psp-1"]}}
    assert replayed(use("psp-1", rules=[large]), DECISION).why == "It goes by rule 'large' instead of 'otherwise'."


def test_why_the_same_rule_decides_otherwise() -> None:
    assert replayed(use("psp-2", "psp-1"), DECISION).why == "The chain of 'otherwise' is another."


def test_why_another_arm_gets_it() -> None:
    arms = [{"arm": "a", "weight": 1, "use": ["psp-2"]}, {"arm": "b", "weight": 0, "use": ["psp-1"]}]
    draft = {"name": "a-route", "rules": [], "otherwise": {"split": {"by": "payment", "arms": arms}}}
    found = replayed(draft, replace(DECISION, arm="b"))
    assert (found.after.arm, found.why) == ("a", "The split of 'otherwise' deals it to arm 'a' instead of 'b'.")


def test_why_a_split_deals_what_had_no_arm() -> None:
    arms = [{"arm": "a", "weight": 1, "use": ["psp-2"]}, {"arm": "b", "weight": 0, "use": ["psp-1"]}]
    draft = {"name": "a-route", "rules": [], "otherwise": {"split": {"by": "payment", "arms": arms}}}
    assert replayed(draft, DECISION).why == "The split of 'otherwise' deals it to arm 'a', where it had none."


def test_why_there_is_no_arm_any_more() -> None:
    found = replayed(use("psp-2"), replace(DECISION, arm="b"))
    assert found.why == "There is no split in 'otherwise', where it had arm 'b'."


def test_why_names_who_could_not_take_it_and_who_is_judged_as_of_today() -> None:
    decision = with_candidates(Considered("psp-1"), Considered("psp-2", REASON))
    assert replayed(use("psp-2", "psp-3", "psp-1"), decision).why == (
        "The chain of 'otherwise' is another. psp-2 could not take it: it takes no EUR. "
        "psp-3 was no candidate then and is judged as of today."
    )
    assert replayed(use("psp-3", "psp-4"), decision).why.endswith(
        "psp-3, psp-4 were no candidates then and are judged as of today."
    )
