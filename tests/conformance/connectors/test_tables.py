"""Each word of a connector's tables is shown by a scenario: with another meaning, one would fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib.contracts.connector import Connector
from chalicelib.contracts.words import Words
from chalicelib.domain.facts import State
from tests.conformance.connectors.playing import expected_of, play_in_memory
from tests.conformance.connectors.profile import connector_class, connector_of
from tests.conformance.connectors.recordings import Scenario, scenarios_of

SUCCESS = (State.SUCCEEDED, State.APPROVED, State.WON)


@pytest.fixture
def looked_up(psp: str, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], list[Scenario]]:
    """Which scenarios look a word up: by (field, word). Those that do not fit show nothing; `test_scenarios` says why."""
    found: dict[tuple[str, str], list[Scenario]] = {}
    words_of = Words.of
    seen: set[tuple[str, str]] = set()

    def recording(self: Words[Any], word: object) -> Any:
        seen.add((self.field, str(word)))
        return words_of(self, word)

    with monkeypatch.context() as patched:
        patched.setattr(Words, "of", recording)
        connector = connector_of(psp)
        for scenario in scenarios_of(psp):
            seen.clear()
            if fits(connector, scenario):
                for word in seen:
                    found.setdefault(word, []).append(scenario)
    return found


def fits(connector: Connector, scenario: Scenario) -> bool:
    return all(play_in_memory(connector, scenario, step) == expected_of(step) for step in scenario.steps)


@contextmanager
def meaning(words: Words[Any], word: str | None, other: Any) -> Iterator[None]:
    """The table with one entry wrong; None is what an unlisted word means."""
    if word is None:
        right = words.otherwise
        object.__setattr__(words, "otherwise", other)
    else:
        right = words.meanings[word]
        words.meanings[word] = other  # type: ignore[index]  # the tables are dictionaries
    try:
        yield
    finally:
        if word is None:
            object.__setattr__(words, "otherwise", right)
        else:
            words.meanings[word] = right  # type: ignore[index]


def unnoticed(connector: Connector, words: Words[Any], word: str | None, scenarios: list[Scenario]) -> list[Any]:
    """Other meanings with which all scenarios would still fit."""
    right = words.otherwise if word is None else words.meanings[word]
    others = [one for one in dict.fromkeys([*words.meanings.values(), words.otherwise]) if one != right]
    missed = []
    for other in others:
        with meaning(words, word, other):
            if all(fits(connector, scenario) for scenario in scenarios):
                missed.append(other)
    return missed


def test_every_word_of_every_table_is_shown_by_a_scenario(
    psp: str, looked_up: dict[tuple[str, str], list[Scenario]]
) -> None:
    connector, missing = connector_of(psp), []
    for words in connector_class(psp).words:
        for word in words.meanings:
            scenarios = looked_up.get((words.field, word), [])
            if not scenarios:
                missing.append(f"{words.field}: no scenario has {word!r}")
            elif wrong := unnoticed(connector, words, word, scenarios):
                missing.append(f"{words.field}: {word!r} could mean {wrong[0]!r}, and no scenario would notice")
    assert not missing, "\n".join(missing)


def test_a_word_that_is_in_no_table_is_never_success(
    psp: str, looked_up: dict[tuple[str, str], list[Scenario]]
) -> None:
    connector, missing = connector_of(psp), []
    for words in connector_class(psp).words:
        assert words.otherwise not in SUCCESS, words.field
        strange = [key for key in looked_up if key[0] == words.field and key[1] not in words.meanings]
        scenarios = [one for key in strange for one in looked_up[key]]
        if not strange:
            missing.append(f"{words.field}: no scenario has a word that is in no table")
        elif wrong := unnoticed(connector, words, None, scenarios):
            missing.append(f"{words.field}: an unlisted word could mean {wrong[0]!r}, and no scenario would notice")
    assert not missing, "\n".join(missing)


def test_no_two_tables_of_a_connector_are_about_one_field(psp: str) -> None:
    fields = [words.field for words in connector_class(psp).words]
    assert len(set(fields)) == len(fields)
