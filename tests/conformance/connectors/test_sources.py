"""One movement has one id, whoever tells of it: the answer to our call, a webhook, a later read."""

from __future__ import annotations

from chalicelib.domain.facts import Kind
from tests.conformance.connectors.profile import connector_class
from tests.conformance.connectors.recordings import scenarios_of

MOVEMENTS = (Kind.AUTHORIZATION, Kind.CAPTURE, Kind.RELEASE, Kind.REFUND, Kind.DISPUTE)


def test_what_answers_and_webhooks_tell_of_is_what_a_read_tells_of(psp: str) -> None:
    """In every scenario that ends with a read; one that was told before and can not be read any more says so by its state."""
    for scenario in scenarios_of(psp):
        *before, last = scenario.steps
        if last.call != "fetch" or "facts" not in last.expect:
            continue
        read = {(one["kind"], one["id"]) for one in last.expect["facts"]}
        for step in before:
            for one in step.expect.get("facts", ()):
                if one["kind"] in MOVEMENTS and one["kind"] in {kind for kind, _ in read}:
                    assert (one["kind"], one["id"]) in read, (
                        f"{scenario.name}: {step.call} tells of another {one['kind']}"
                    )


def test_our_operations_are_named_by_a_read(psp: str) -> None:
    """Where the connector says that it `names_operations`: each that its answer named, the read names too."""
    if not connector_class(psp).capabilities.names_operations:
        return
    shown = set()
    for scenario in scenarios_of(psp):
        *before, last = scenario.steps
        if last.call != "fetch":
            continue
        named = {one.get("operation_id") for one in last.expect.get("facts", ())}
        for step in before:
            for one in step.expect.get("facts", ()):
                if step.call in ("capture", "cancel", "refund") and "operation_id" in one:
                    assert one["operation_id"] in named, scenario.name
                    shown.add(step.call)
    operations = connector_class(psp).capabilities.operations & {"capture", "cancel", "refund"}
    assert shown == operations, f"no scenario reads a {', '.join(sorted(operations - shown))} back"
