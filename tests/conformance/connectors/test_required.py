"""What every connector's scenarios must show, by what it says it can do."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

from chalicelib.contracts.connector import Connector
from chalicelib.domain.facts import DeclineClass, Kind
from chalicelib.domain.order import CaptureMode
from tests.conformance.connectors.happy import happy_steps
from tests.conformance.connectors.profile import connector_class, connector_of, profile_of
from tests.conformance.connectors.recordings import CONNECTORS, objects_of, scenarios_of

MAY_BE_ABSENT = ("capture", "release_rest", "cancel", "refund", "expire", "recover", "complete", "create_webhook")
URL = "https://pay.example/webhooks/default/the-connection"


def test_there_is_a_scenario_in_which_each_call_goes_well(psp: str) -> None:
    wanted = {"open_checkout", "fetch", "test", *offered_by(psp)}
    assert wanted <= happy_steps(psp).keys(), f"no scenario for {', '.join(sorted(wanted - happy_steps(psp).keys()))}"


def test_the_calls_that_are_written_are_those_the_psp_is_said_to_have(psp: str) -> None:
    """One more would never be made, and would mislead who reads it."""
    written = {name for name in MAY_BE_ABSENT if getattr(connector_class(psp), name) is not getattr(Connector, name)}
    assert written == offered_by(psp), f"written, and never called: {', '.join(sorted(written - offered_by(psp)))}"


def offered_by(psp: str) -> set[str]:
    """The calls that not every PSP has, and this one has by its own word."""
    can = connector_class(psp).capabilities
    offered = set(can.operations)
    if can.looks_up_references or "open" in can.key_lives_s:
        offered.add("recover")
    if can.completes_on_return:
        offered.add("complete")
    if can.releases_rest:
        offered.add("release_rest")
    if connector_of(psp).webhook_setup(URL).creates:
        offered.add("create_webhook")
    return offered


def test_each_kind_of_movement_is_told_by_more_than_one_source(psp: str) -> None:
    """And a read of the PSP is one of them, the last step of its scenario, where it `reads_money`: of the payment, or of the
    thing itself. A webhook that only says "look" is as good as what is read then. What no read shows (`Profile.not_read`) is
    told by two others."""
    can = connector_class(psp).capabilities
    wanted = {Kind.CAPTURE}
    if any(one["kind"] == Kind.DISPUTE for one in facts_of(psp)):
        wanted.add(Kind.DISPUTE)
    if CaptureMode.MANUAL in can.capture_modes:
        wanted.add(Kind.AUTHORIZATION)
    wanted |= {kind for name, kind in (("refund", Kind.REFUND), ("cancel", Kind.RELEASE)) if name in can.operations}
    shown = read_after_being_told(psp) if can.reads_money else told_twice(psp)
    shown |= told_twice(psp) & profile_of(psp).not_read
    assert wanted <= shown, f"only one source tells of {', '.join(sorted(wanted - shown))}"


def facts_of(psp: str) -> list[Mapping[str, Any]]:
    """All facts that its scenarios expect."""
    steps = (step for scenario in scenarios_of(psp) for step in scenario.steps)
    return [one for step in steps for one in step.expect.get("facts", ())]


def read_after_being_told(psp: str) -> set[str]:
    shown = set()
    for scenario in scenarios_of(psp):
        *before, last = scenario.steps
        if last.call in ("fetch", "look_up"):
            told = {fact["kind"] for step in before for fact in step.expect.get("facts", ())}
            read = {fact["kind"] for fact in last.expect.get("facts", ())}
            looks = any({"asks", "looks_up"} & step.expect.keys() for step in before)
            shown |= read if looks else told & read
    return shown


def told_twice(psp: str) -> set[str]:
    """The kinds of which two steps of a scenario tell by one id."""
    shown = set()
    for scenario in scenarios_of(psp):
        told = [{(fact["kind"], fact["id"]) for fact in step.expect.get("facts", ())} for step in scenario.steps]
        shown |= {kind for one, other in itertools.combinations(told, 2) for kind, _ in one & other}
    return shown


def test_each_class_of_decline_that_the_tables_know_is_a_scenario(psp: str) -> None:
    """`test_tables` shows each code; here a decline must be seen as the refusal of a call, or in a fact."""
    refusals = [step.expect for scenario in scenarios_of(psp) for step in scenario.steps]
    shown = {one["decline"][0] for one in (*refusals, *facts_of(psp)) if "decline" in one}
    meanings = [meaning for words in connector_class(psp).words for meaning in words.meanings.values()]
    known = {part for one in meanings for part in (one if isinstance(one, tuple) else (one,))}
    wanted = {str(one) for one in known if isinstance(one, DeclineClass)}
    assert shown >= wanted, f"no scenario is declined {', '.join(sorted(wanted - shown))}"


def test_too_many_calls_and_wrong_credentials_are_recorded(psp: str) -> None:
    assert {"rate_limited", "wrong_credentials"} <= objects_of(psp).keys()


def test_each_file_of_scenarios_says_where_it_comes_from(psp: str) -> None:
    for path in sorted((CONNECTORS / psp / "scenarios").glob("*.json")):
        written = json.loads(path.read_text())
        assert written.get("recorded"), f"{path.name} says not how it was recorded"
        assert written.get("source"), f"{path.name} names no source"
