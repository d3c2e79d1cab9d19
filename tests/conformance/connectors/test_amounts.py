"""Money that is not what was asked is told as it is, and every amount survives the PSP's way of writing it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts.amounts import Unwritable
from chalicelib.domain.facts import Kind, State
from chalicelib.domain.money import EXPONENT, VALUE_MAX, Money
from chalicelib.domain.payment import Status
from tests.conformance.connectors.happy import happy_steps
from tests.conformance.connectors.playing import Told, play
from tests.conformance.connectors.profile import NAMES, connector_class, connector_of, profile_of
from tests.conformance.connectors.recordings import CONNECTORS, Scenario, Step, scenarios_of
from tests.conformance.connectors.replay import Replay
from tests.conformance.connectors.standing import folded

PAID = (Status.CAPTURED, Status.AUTHORIZED, Status.PARTIALLY_CAPTURED)
OTHERS = ((1, ""), (0, "USD"), (-1, ""))


def other_order(scenario: Scenario, more: int, currency: str) -> Scenario:
    """The scenario of somebody who asked for something else; the PSP's answers stay as they are."""
    value, present = scenario.order.get("amount", (1050, "EUR"))
    order = {**scenario.order, "amount": [value + more, currency or present]}
    order.pop("lines", None)
    return Scenario(scenario.psp, scenario.name, order, scenario.steps, None)


@pytest.mark.parametrize(("more", "currency"), OTHERS)
def test_a_page_for_another_amount_is_not_opened(psp: str, more: int, currency: str, replay: Replay) -> None:
    if not profile_of(psp).opening_tells_amount:
        pytest.skip(f"{psp} does not repeat the amount when it opens a page")
    scenario, step = happy_steps(psp)["open_checkout"]
    told = play(connector_of(psp), other_order(scenario, more, currency), step, replay)
    assert told.view == {"raises": "OutcomeUnknown"}


@pytest.mark.parametrize(("more", "currency"), OTHERS)
def test_money_that_was_not_asked_for_is_an_anomaly(psp: str, more: int, currency: str, replay: Replay) -> None:
    """Of each scenario after which the shopper has paid."""
    shown = 0
    for scenario in scenarios_of(psp):
        if scenario.ends is None or scenario.ends["status"] not in PAID:
            continue
        shown += 1
        odd = other_order(scenario, more, currency)
        facts = [fact for step in odd.steps for fact in _told(psp, odd, step, replay).facts]
        found = folded(odd, facts)
        assert found.anomalies, scenario.name
    assert shown, f"{psp} has no scenario that ends with a paid payment"


def _told(psp: str, scenario: Scenario, step: Step, replay: Replay) -> Told:
    return play(connector_of(psp), scenario, step, replay)


def test_an_operation_tells_the_amount_of_the_answer(psp: str, replay: Replay) -> None:
    """Not the one that was asked for: the two are compared afterwards."""
    for call in ("capture", "refund"):
        if call not in happy_steps(psp):
            continue
        scenario, step = happy_steps(psp)[call]
        value, currency = step.operation["amount"]
        asked = Step(**{**_fields(step), "operation": {**step.operation, "amount": [value - 10, currency]}})
        for fact in play(connector_of(psp), scenario, asked, replay).facts:
            if fact.kind in (Kind.CAPTURE, Kind.REFUND) and fact.state is State.SUCCEEDED:
                assert fact.amount == Money(value, currency), f"{call} repeats what was asked"


def _fields(step: Step) -> dict[str, object]:
    return {name: getattr(step, name) for name in Step.__dataclass_fields__}


@given(value=st.integers(0, VALUE_MAX), currency=st.sampled_from(sorted(EXPONENT)), name=st.sampled_from(NAMES))
def test_every_amount_of_every_currency_survives(value: int, currency: str, name: str) -> None:
    """Or is refused before anything is sent: what the PSP has no way to write."""
    amounts = connector_class(name).amounts
    try:
        written = amounts.written(Money(value, currency))
    except Unwritable:
        return
    assert amounts.read(written, currency) == Money(value, currency)
    assert amounts.read(written, currency.lower()) == Money(value, currency)


def test_each_currency_takes_some_amount(psp: str) -> None:
    """A whole unit of each that the connector says it takes, to the PSP and back."""
    made = connector_class(psp)
    for currency in sorted(made.capabilities.currencies):
        whole = Money(10 ** EXPONENT[currency], currency)
        assert made.amounts.read(made.amounts.written(whole), currency) == whole


def test_amounts_are_written_as_the_psp_documents_them(psp: str) -> None:
    """`amounts.json`: by currency, pairs of our minor units and what the PSP writes, null for what it can not take. Each
    number of decimals that the PSP has is in it, and each currency in which it departs from ISO 4217."""
    made, examples = connector_class(psp), json.loads((CONNECTORS / psp / "amounts.json").read_text())
    for currency, pairs in examples["written"].items():
        for value, wanted in pairs:
            if wanted is None:
                with pytest.raises(Unwritable):
                    made.amounts.written(Money(value, currency))
            else:
                assert made.amounts.written(Money(value, currency)) == wanted, currency
                assert made.amounts.read(wanted, currency) == Money(value, currency)
    departing = {*getattr(made.amounts, "departures", {}), *getattr(made.amounts, "steps", {})}
    assert departing <= examples["written"].keys()
    assert {EXPONENT[one] for one in made.capabilities.currencies} <= {EXPONENT[one] for one in examples["written"]}


@pytest.mark.parametrize("said", [None, True, 1.5, "x", "1,50", "1e3", "-", "", [], {}, "\uff11\uff12", float("nan")])
def test_what_is_no_amount_is_an_error(psp: str, said: object) -> None:
    with pytest.raises(ValueError):
        connector_class(psp).amounts.read(said, "EUR")


@pytest.mark.parametrize("currency", [None, 1, "", "XXX", "EURO", "é"])
def test_what_is_no_currency_is_an_error(psp: str, currency: object) -> None:
    for said in (1050, "10.50"):
        with pytest.raises(ValueError) as told:
            connector_class(psp).amounts.read(said, currency)
        assert not isinstance(told.value, Unwritable)


def test_an_amount_that_can_not_be_written_is_refused_before_anything_is_sent(psp: str, replay: Replay) -> None:
    made = connector_class(psp)
    for currency, pairs in json.loads((CONNECTORS / psp / "amounts.json").read_text())["written"].items():
        for value in (value for value, wanted in pairs if wanted is None):
            scenario, step = happy_steps(psp)["open_checkout"]
            odd = Scenario(psp, scenario.name, {"amount": [value, currency]}, scenario.steps, None)
            told = play(connector_of(psp), odd, step, replay)
            assert (told.view, told.requests) == ({"refused": "misconfigured"}, []), f"{value} {currency}"
    assert made.capabilities.currencies <= EXPONENT.keys()
