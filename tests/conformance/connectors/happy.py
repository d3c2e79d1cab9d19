"""The first scenario step of each call that goes well: what the kit makes go wrong."""

from __future__ import annotations

from collections.abc import Iterator

from tests.conformance.connectors.recordings import Scenario, Step, scenarios_of

BAD = {"raises", "refused"}


def happy_steps(psp: str) -> dict[str, tuple[Scenario, Step]]:
    """By call, of those that ask the PSP anything: the step with the most exchanges, so that each place can go wrong."""
    found: dict[str, tuple[Scenario, Step]] = {}
    for scenario, step in steps_of(psp):
        if step.exchanges and not BAD & step.expect.keys():
            known = found.get(step.call)
            if known is None or len(step.exchanges) > len(known[1].exchanges):
                found[step.call] = (scenario, step)
    return found


def steps_of(psp: str) -> Iterator[tuple[Scenario, Step]]:
    for scenario in scenarios_of(psp):
        for step in scenario.steps:
            yield scenario, step
