"""Of two sayings about one movement the later state stands, whichever came first."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from chalicelib.domain.facts import Decline, DeclineClass, Kind, State, is_renamed, join, joined, renamed
from tests.builders import attempt_id, fact, opened

# As the architecture has it.
RISING = {
    Kind.OPEN: "started unanswered absent refused opened",
    Kind.CHECKOUT: "open processing expired cancelled failed",
    Kind.TRY: "pending declined approved",
    Kind.AUTHORIZATION: "pending failed succeeded",
    Kind.RELEASE: "pending failed succeeded",
    Kind.CAPTURE: "pending succeeded failed",
    Kind.REFUND: "pending succeeded failed",
    Kind.DISPUTE: "inquiry opened won lost",
}


@pytest.mark.parametrize("kind", Kind)
def test_the_later_state_stands_whichever_came_first(kind: Kind) -> None:
    for lower, higher in itertools.combinations(map(State, RISING[kind].split()), 2):
        earlier, later = fact(kind, "x", lower, 1000), fact(kind, "x", higher, 400)
        assert joined(earlier, later) == joined(later, earlier) == later


def test_the_psps_own_version_goes_before_the_state() -> None:
    lost, won_anew = fact(Kind.DISPUTE, "d", State.LOST, 1000), fact(Kind.DISPUTE, "d", State.INQUIRY, 1, revision=1)
    assert joined(lost, won_anew) == joined(won_anew, lost) == won_anew


SOFT, HARD = Decline(DeclineClass.SOFT, "declined"), Decline(DeclineClass.HARD, "declined")


@pytest.mark.parametrize(
    ("lesser", "greater"),
    [
        ({"value": None}, {"value": 0}),
        ({"value": 400, "reason": "z"}, {"value": 401, "reason": "a"}),
        ({"reason": "a", "respond_by": "z"}, {"reason": "b", "respond_by": "a"}),
        ({"respond_by": "2026-01-01", "decline": SOFT}, {"respond_by": "2026-01-02", "decline": HARD}),
        ({"decline": None}, {"decline": HARD}),
        ({"decline": HARD}, {"decline": SOFT}),
        ({"decline": Decline(DeclineClass.SOFT, "a", "z")}, {"decline": Decline(DeclineClass.SOFT, "b", "a")}),
        (
            {"decline": Decline(DeclineClass.SOFT, "a", "a", "z")},
            {"decline": Decline(DeclineClass.SOFT, "a", "b", "a")},
        ),
        (
            {"decline": Decline(DeclineClass.SOFT, "a", "a", "a")},
            {"decline": Decline(DeclineClass.SOFT, "a", "a", "b")},
        ),
    ],
)
def test_what_is_said_of_one_state_is_decided_by_what_is_said_and_not_by_when(
    lesser: dict[str, object], greater: dict[str, object]
) -> None:
    one, other = (fact(Kind.DISPUTE, "d", State.OPENED, **said) for said in (lesser, greater))  # type: ignore[arg-type]
    assert joined(one, other) == joined(other, one) == other


@pytest.mark.parametrize("revision", [0, 1])
@pytest.mark.parametrize("state", RISING[Kind.CAPTURE].split())
def test_a_name_that_was_taken_away_stays_so_whatever_is_said_of_it(state: str, revision: int) -> None:
    gone = renamed(attempt_id(), "p")
    other = fact(Kind.CAPTURE, "p", State(state), 1050, revision=revision)
    assert joined(gone, other) == joined(other, gone) == gone
    assert is_renamed(replace(gone, revision=revision))


def test_an_operations_id_is_learned_from_either_saying() -> None:
    ours, nameless = (
        fact(Kind.REFUND, "r", State.PENDING, 400, operation_id="op_1"),
        fact(Kind.REFUND, "r", State.FAILED),
    )
    both = joined(ours, nameless)
    assert both == joined(nameless, ours)
    assert (both.state, both.operation_id) == (State.FAILED, "op_1")


def test_the_newest_twenty_tries_are_kept_of_each_attempt() -> None:
    tries = [
        fact(Kind.TRY, f"t{revision}", State.DECLINED, number=number, revision=revision)
        for number in (1, 2)
        for revision in range(25)
    ]
    kept = join((opened(),), tries)
    for number in (1, 2):
        revisions = {one.revision for one in kept if one.kind is Kind.TRY and one.attempt_id == attempt_id(number)}
        assert revisions == set(range(5, 25))
    assert opened() in kept


def test_a_kind_has_its_own_states_and_no_others() -> None:
    why = "^a try can not be succeeded; it can be pending, declined, approved$"
    with pytest.raises(ValueError, match=why):
        fact(Kind.TRY, "t", State.SUCCEEDED)
