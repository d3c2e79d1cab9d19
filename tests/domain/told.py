"""A payment that is told things a minute later, and what its timeline has of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.payment import Entry, Payment
from tests.builders import NOW, fact, opened, payment

LATER = NOW + timedelta(minutes=1)
PAID = fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1000)


def opened_payment(**order: Any) -> Payment:
    start = payment()
    return amend(replace(start, order=replace(start.order, **order)), Change(facts=(opened(),)), NOW)


def told(known: Payment, *facts: Fact, **more: Any) -> Payment:
    return amend(known, Change(facts=facts, **more), LATER)


def entries(known: Payment, kind: str) -> list[Entry]:
    return [entry for entry in known.timeline if entry.kind == kind]
