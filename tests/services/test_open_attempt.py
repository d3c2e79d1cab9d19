"""What a call to open a checkout proves, and when it is made once more."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.calls import Opened, Refusal, RefusalKind, reference_of
from chalicelib.contracts.conversation import NotSent, OutcomeUnknown, ReadFailed
from chalicelib.domain.change import Change, Found
from chalicelib.domain.errors import VaultFault
from chalicelib.domain.facts import Decline, DeclineClass, Fact, Kind, State
from chalicelib.domain.payment import Attempt, Entry
from chalicelib.services.open_attempt import Tried, open_attempt
from tests.builders import NOW, attempt, attempt_id, fact, opened, page, payment
from tests.psp import SimulatedConnector
from tests.services.scripted import Left, Noting, Scripted, speaking
from tests.world import World

OPENED = Opened("ses_1", page(), (fact(Kind.CHECKOUT, "ses_1", State.OPEN),))
UNANSWERED = Fact(attempt_id(), Kind.OPEN, attempt_id(), State.UNANSWERED)
SOFT = Decline(DeclineClass.SOFT, "declined", "05", "Ask your bank.")
DECLINED = Refusal(RefusalKind.DECLINED, "insufficient funds", SOFT)
MISCONFIGURED = Refusal(RefusalKind.MISCONFIGURED, "bad key")
SILENCE, NOBODY = OutcomeUnknown("timeout"), NotSent("refused")
TIMES = {1: "once", 2: "2 times", 3: "3 times"}


class Opening:
    def __init__(self, folder: Path) -> None:
        self.driver = Noting()
        self.world = World(folder, driver=self.driver)

    def __call__(
        self,
        *said: Any,
        of: Attempt | None = None,
        left_s: float = 20,
        secrets: tuple[str, ...] = (),
        **can: Any,
    ) -> Tried:
        """What opening comes to where the PSP says this, call by call; each word of it must be needed."""
        self.connector = Scripted(*said, capabilities=replace(SimulatedConnector.capabilities, **can))
        live = speaking(self.world, self.connector, secrets)
        tried = open_attempt(self.world.ports, live, payment(), of or attempt(), Left(left_s))
        assert self.connector.said == []
        return tried


@pytest.fixture
def opening(tmp_path: Path) -> Opening:
    return Opening(tmp_path)


def told(summary: str, **data: Any) -> Entry:
    return Entry(NOW, "psp_call", summary, {"attempt_id": attempt_id(), "connection_id": "psp-1", **data})


def unanswered(detail: str, tries: int, decline: Decline | None = None) -> Tried:
    summary = f"psp-1 was asked {TIMES[tries]} and gave no usable answer ({detail})."
    entry = told(summary, outcome="unanswered", detail=detail, tries=tries)
    return Tried(attempt_id(), (replace(UNANSWERED, decline=decline),), entry, unanswered=True)


def refused(said: Refusal) -> Tried:
    fact = Fact(attempt_id(), Kind.OPEN, attempt_id(), State.REFUSED, decline=said.decline, reason=said.kind)
    entry = told(f"psp-1 refused to open a checkout: {said.detail}.", outcome=said.kind, detail=said.detail)
    return Tried(attempt_id(), (fact,), entry)


def test_an_opened_page_is_kept_with_what_the_psp_says_of_it(opening: Opening) -> None:
    assert opening(OPENED) == Tried(
        attempt_id(),
        (opened(), *OPENED.facts),
        told("psp-1 opened a checkout (ses_1).", outcome="opened", psp_reference="ses_1"),
        Found(attempt_id(), "ses_1", page(), open_ms=1),
    )


def test_the_psp_is_asked_for_what_was_ordered(opening: Opening) -> None:
    opening(OPENED)
    assert opening.connector.asked == [("open", reference_of(attempt(), payment().order).checkout)]
    assert opening.connector.bound == [{"connector": "scripted"}]
    assert (opening.driver.fresh, opening.driver.left_s) == ([False], [20])


@pytest.mark.parametrize("said", [DECLINED, MISCONFIGURED, Refusal(RefusalKind.RATE_LIMITED, "slow down")])
def test_the_psps_definite_no_is_kept_with_its_reason(opening: Opening, said: Refusal) -> None:
    assert opening(said) == refused(said)


def test_a_credential_that_the_psp_repeats_is_nowhere(opening: Opening) -> None:
    said = Refusal(RefusalKind.MISCONFIGURED, "bad key sk_live_0123456789")
    tried = opening(said, secrets=("sk_live_0123456789",))
    assert "sk_live" not in repr(tried)
    assert "bad key" in tried.entry.summary


@pytest.mark.parametrize("said", [NOBODY, ReadFailed("refused")])
def test_where_nothing_was_sent_the_attempt_is_absent(opening: Opening, said: Exception) -> None:
    """Also where the connector asks for something first, such as a token, and gets no answer."""
    assert opening(said) == Tried(
        attempt_id(),
        (Fact(attempt_id(), Kind.OPEN, attempt_id(), State.ABSENT, reason="not_sent"),),
        told("psp-1 could not be reached; nothing was sent (refused).", outcome="not_sent", detail="refused"),
    )


def test_without_an_answer_it_is_asked_once_more_on_a_fresh_connection(opening: Opening) -> None:
    assert opening(SILENCE, OutcomeUnknown("reset")) == unanswered("reset", 2)
    assert opening.driver.fresh == [False, True]
    first, second = opening.connector.asked
    assert first == second, "byte for byte"


def test_the_page_of_the_second_call_counts(opening: Opening) -> None:
    assert opening(SILENCE, OPENED).found == Found(attempt_id(), "ses_1", page(), open_ms=1)


@pytest.mark.parametrize("said", [MISCONFIGURED, DECLINED])
def test_a_no_to_the_second_call_says_nothing_about_the_first(opening: Opening, said: Refusal) -> None:
    """A decline is remembered: one for fraud leads to nobody else."""
    assert opening(SILENCE, said) == unanswered(said.detail, 2, said.decline)


def test_that_the_second_call_was_not_sent_proves_nothing_of_the_first(opening: Opening) -> None:
    assert opening(SILENCE, NOBODY) == unanswered("refused", 2)
    assert opening(SILENCE, ReadFailed("refused")) == unanswered("refused", 2)


@pytest.mark.parametrize(
    ("said", "tries"),
    [((NOBODY,), 2), ((MISCONFIGURED,), 2), ((DECLINED,), 2), ((SILENCE, SILENCE), 3), ((SILENCE, NOBODY), 3)],
)
def test_a_call_before_a_crash_counts_as_one(opening: Opening, said: tuple[Any, ...], tries: int) -> None:
    again = attempt(called_at=NOW - timedelta(seconds=61))
    decline = SOFT if said == (DECLINED,) else None
    assert opening(*said, of=again) == unanswered(said[-1].detail, tries, decline)
    assert opening(OPENED, of=again).found is not None


@pytest.mark.parametrize(
    ("how", "again"),
    [
        ({"key_lives_s": {}}, False),
        ({"key_lives_s": {"open": 120}, "of": attempt(started_at=NOW - timedelta(seconds=59))}, True),
        ({"key_lives_s": {"open": 120}, "of": attempt(started_at=NOW - timedelta(seconds=60))}, False),
        ({"key_lives_s": {"open": 1}}, True),
        ({"key_lives_s": {"capture": 86_400}}, False),
        ({"left_s": 2}, False),
        ({"left_s": 2.001}, True),
    ],
)
def test_it_is_asked_again_only_while_the_key_surely_lives_and_there_is_time(
    opening: Opening, how: dict[str, Any], again: bool
) -> None:
    said = (SILENCE, SILENCE) if again else (SILENCE,)
    assert opening(*said, **how) == unanswered("timeout", len(said))


def test_a_connectors_mistake_leaves_the_outcome_unknown(opening: Opening, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "paymentserver.open"):
        assert opening(KeyError("id"), OPENED).found is not None
        assert opening(KeyError("id"), KeyError("id")) == unanswered("KeyError", 2)
    assert caplog.messages == ["a checkout could not be opened"] * 3


def test_a_fault_of_ours_is_ours(opening: Opening) -> None:
    with pytest.raises(VaultFault):
        opening(VaultFault("sealed"))


def test_what_a_call_came_to_is_one_change(opening: Opening) -> None:
    tried = opening(OPENED)
    assert tried.found is not None
    assert tried.change == Change(facts=tried.facts, found=(tried.found,), entries=(tried.entry,))
    tried = opening(NOBODY)
    assert tried.change == Change(facts=tried.facts, entries=(tried.entry,))


def test_of_a_call_whose_claim_is_held_by_another_only_a_page_is_kept(opening: Opening) -> None:
    tried = opening(OPENED)
    assert tried.only_told == tried.change
    for said in (NOBODY, DECLINED):
        assert opening(said).only_told == Change(facts=(UNANSWERED,))
