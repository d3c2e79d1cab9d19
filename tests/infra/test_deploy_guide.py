"""docs/deploy.md says what the template does."""

from __future__ import annotations

import re
from pathlib import Path

from chalicelib.functions.declared import whole_app
from chalicelib.services.kinds import KINDS
from infra.alarms import alarms
from infra.parameters import PARAMETERS
from infra.stages import ROOT, stage_of

GUIDE = (ROOT / "docs" / "deploy.md").read_text()


def _section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"the guide has no section {title}"
    return found[1]


def _alarms_explained() -> list[str]:
    """Every alarm of the table; a row for several names what its placeholder stands for."""
    found: list[str] = []
    for name, of in re.findall(r"^\| `([A-Za-z0-9-]+)`(?: \(([^)]*)\))? \|", _section("Alarms"), re.MULTILINE):
        found += [re.sub("[A-Z]{2,}", one, name) for one in of.split(", ")] if of else [name]
    return found


def test_every_alarm_is_explained_and_every_explanation_has_its_alarm() -> None:
    assert sorted(_alarms_explained()) == sorted(alarm.name for alarm in alarms(stage_of("prod")))


def test_every_parameter_is_explained_and_every_explanation_has_its_parameter() -> None:
    rows = re.findall(r"^\| (`[^|]*) \|", _section("Parameters"), re.MULTILINE)
    explained = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(explained) == sorted(PARAMETERS)


def test_the_deploy_command_gives_every_parameter_that_has_no_default() -> None:
    command = re.search(r"--parameter-overrides (.*?)\n   aws", GUIDE, re.DOTALL)
    assert command is not None
    given = set(re.findall(r"(\w+)=", command[1]))
    assert {name for name, one in PARAMETERS.items() if "Default" not in one} <= given <= set(PARAMETERS)


def test_the_guide_links_to_files_that_exist() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", GUIDE)
    missing = [link for link in links if not (Path(ROOT / "docs") / link).exists()]
    assert missing == []


def test_operations_that_the_guide_names_exist() -> None:
    routes = whole_app().routes
    patterns = {re.sub(r"\{\w+\}", "[^/]+", path): methods for path, methods in routes.items()}
    for method, path in re.findall(r"`(GET|POST|PUT|DELETE) (/[^`? ]+)", GUIDE):
        found = [methods for pattern, methods in patterns.items() if re.fullmatch(pattern, path)]
        assert any(method in methods for methods in found) or path.startswith(("/webhooks", "/returns")), path


def test_loops_over_tables_name_each_kind_and_no_other_stacks_tables() -> None:
    """A list of what begins with the stack's name would take in those of a stack whose name begins so too."""
    (listed,) = re.findall(r'KINDS="([^"]*)"', GUIDE)
    assert listed.split() == [kind.name for kind in KINDS]
    assert "list-tables" not in GUIDE
