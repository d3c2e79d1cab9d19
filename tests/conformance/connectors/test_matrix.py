"""docs/connectors.md, `GET /v1/connectors` and the kit's own print-out tell the same of every connector."""

from __future__ import annotations

from chalicelib.api.catalogue import connector_view
from chalicelib.api.models_configuration import ConnectorModel
from tests.conformance.connectors.matrix import DOCUMENT, ROWS, document, matrix_of
from tests.conformance.connectors.profile import NAMES, connector_class


def test_the_document_is_as_it_would_be_rendered_now() -> None:
    assert DOCUMENT.read_text() == document(), "run `make connectors`"


def test_the_api_answers_what_the_matrix_shows(psp: str) -> None:
    view = connector_view(connector_class(psp))
    ConnectorModel.model_validate(view)
    lines = dict(_cells(line) for line in matrix_of([view]).splitlines()[2:])
    assert lines == {name: tell(view) for name, tell in ROWS}
    whole = dict(_column(line, NAMES.index(psp)) for line in DOCUMENT.read_text().splitlines() if line.startswith("| "))
    assert lines.items() <= whole.items()


def _cells(line: str) -> tuple[str, str]:
    name, told = (cell.strip() for cell in line.strip("|").split("|"))
    return name, told


def _column(line: str, position: int) -> tuple[str, str]:
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    return cells[0], cells[position + 1] if len(cells) > position + 1 else ""


def test_every_capability_of_the_contract_is_in_the_api(psp: str) -> None:
    view, can = connector_view(connector_class(psp)), connector_class(psp).capabilities
    shown = {**view, **view["capabilities"]}
    for name in can.__dataclass_fields__:
        if name not in ("names_operations", "releases_rest"):  # how we find out and carry out, not what the PSP can do
            assert name in shown, name
