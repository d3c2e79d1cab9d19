"""A version that was saved under laxer rules is checked as a new one would be before it is taken up again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.domain.errors import Invalid
from chalicelib.services.configure_routes import activate_version, read_route, read_version
from chalicelib.services.kinds import ROUTE_VERSION, route_version_key
from tests.services.splitting import OPERATOR, change_route
from tests.world import World

USE = {"use": ["psp-1"]}


def test_a_version_that_would_not_be_taken_today_is_not_taken_up_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    version = change_route(world, USE)
    read_version(world.ports, "default", "default", version)
    stored = world.store.get(ROUTE_VERSION, route_version_key("default", "default", version))
    rule = {"name": "old", "when": {"field": "country", "op": "starts_with", "value": "nl"}, "then": USE}
    old = replace(stored.value, document={**stored.value.document, "rules": [rule]})
    world.store.put(ROUTE_VERSION, old, expect=stored.version)
    with pytest.raises(Invalid, match="would not be taken today") as refused:
        activate_version(world.ports, OPERATOR, "default", "default", version)
    assert refused.value.errors[0].pointer == "/rules/0/when"
    assert read_route(world.ports, "default", "default").version == version
