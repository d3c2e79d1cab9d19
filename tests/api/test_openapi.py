from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from schemathesis.core.result import Ok

from chalicelib.api.application import create_app
from chalicelib.api.openapi import SCOPES, document, document_bytes
from chalicelib.api.operation import OPERATIONS, Operation
from chalicelib.domain.money import EXPONENT
from chalicelib.publishers.cloudevents import CONTENT_TYPE

create_app()  # fills the table of operations
DOCUMENT = document(OPERATIONS, "https://payments.example", "https://issuer.example")
DOCUMENTED = [operation for operation in OPERATIONS if operation.documented]
every_operation = pytest.mark.parametrize("operation", DOCUMENTED, ids=lambda operation: operation.name)


def shown(operation: Operation) -> dict[str, Any]:
    return DOCUMENT["paths"][operation.path][operation.method.lower()]  # type: ignore[no-any-return]


def answer(operation: Operation, status: int) -> dict[str, Any]:
    found = shown(operation)["responses"][str(status)]
    return resolved(found["$ref"]) if "$ref" in found else found  # type: ignore[no-any-return]


def resolved(ref: str) -> Any:
    place: Any = DOCUMENT
    for name in ref.removeprefix("#/").split("/"):
        place = place[name]
    return place


def refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from refs(value)


def is_valid(value: Any, schema: Any) -> bool:
    """By JSON Schema 2020-12, with the document's components at hand."""
    whole = {**schema, "components": DOCUMENT["components"]}
    return jsonschema_rs.validator_for(whole).is_valid(value)


def test_the_document_is_valid_openapi() -> None:
    schemathesis.openapi.from_dict(DOCUMENT).validate()


def test_every_operation_can_be_tested_from_the_document() -> None:
    read = list(schemathesis.openapi.from_dict(DOCUMENT).get_all_operations())
    found = [one.ok().label for one in read if isinstance(one, Ok)]
    assert len(found) == len(read)
    assert found == [f"{operation.method} {operation.path}" for operation in DOCUMENTED]


def test_every_reference_leads_somewhere() -> None:
    for ref in refs(DOCUMENT):
        resolved(ref)


def test_names_are_given_once() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)


def test_without_an_issuer_there_is_no_sign_in_to_document() -> None:
    bare = document(OPERATIONS, "https://payments.example", "")
    schemathesis.openapi.from_dict(bare).validate()
    assert "oidc" not in bare["components"]["securitySchemes"]


def test_the_served_bytes_are_the_document() -> None:
    served = document_bytes("https://payments.example", "https://issuer.example")
    assert json.loads(served) == DOCUMENT
    assert document_bytes("https://payments.example", "https://issuer.example") is served


@every_operation
def test_an_operation_has_a_summary_and_a_tag(operation: Operation) -> None:
    assert shown(operation)["summary"].strip()
    assert shown(operation)["tags"] == [operation.tag]


@every_operation
def test_an_operation_names_its_scope(operation: Operation) -> None:
    scopes = [scope for scheme in shown(operation)["security"] for one in scheme.values() for scope in one]
    assert set(scopes) == ({operation.scope} if operation.scope else set())
    assert set(scopes) <= set(SCOPES)


@every_operation
def test_an_operation_names_the_parameters_of_its_path(operation: Operation) -> None:
    named = [one["name"] for one in shown(operation)["parameters"] if one["in"] == "path"]
    assert named == re.findall(r"{(\w+)}", operation.path)


@every_operation
def test_an_operation_says_every_answer_it_can_give(operation: Operation) -> None:
    expected = {*operation.answers, *operation.problems, 500}
    expected |= {401, 403, 503} if operation.scope else set()
    expected |= {404} if "{" in operation.path else set()
    expected |= {400, 413, 415, 422} if operation.body else set()
    expected |= {422} if operation.query else set()
    expected |= {400, 409, 422} if operation.idempotency_key else set()
    expected |= {400, 412, 428} if operation.if_match else set()
    assert {str(status) for status in expected} <= shown(operation)["responses"].keys()


@every_operation
def test_every_answer_has_a_request_id(operation: Operation) -> None:
    for status in shown(operation)["responses"]:
        assert "X-Request-Id" in answer(operation, int(status))["headers"]


@every_operation
def test_an_error_is_a_problem(operation: Operation) -> None:
    for status in set(shown(operation)["responses"]) - {str(one) for one in operation.answers}:
        (content_type,) = answer(operation, int(status))["content"]
        assert content_type == "application/problem+json"


@every_operation
def test_every_answer_with_a_body_has_an_example_that_fits(operation: Operation) -> None:
    for status in shown(operation)["responses"]:
        for content in answer(operation, int(status)).get("content", {}).values():
            assert is_valid(content["example"], content["schema"]), f"{status} of {operation.name}"


@every_operation
def test_what_a_path_holds_is_exemplified(operation: Operation) -> None:
    for parameter in shown(operation)["parameters"]:
        if parameter["in"] == "path":
            assert is_valid(parameter["example"], parameter["schema"])


@pytest.mark.parametrize("operation", [one for one in DOCUMENTED if one.example is not None], ids=lambda one: one.name)
def test_an_example_fits_its_schema_and_its_model(operation: Operation) -> None:
    assert operation.body is not None
    content = shown(operation)["requestBody"]["content"]["application/json"]
    assert is_valid(content["example"], content["schema"])
    operation.body.model_validate_json(json.dumps(content["example"]))


@pytest.mark.parametrize("operation", [one for one in DOCUMENTED if one.body is not None], ids=lambda one: one.name)
def test_a_body_has_an_example(operation: Operation) -> None:
    assert operation.example is not None


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("Idempotency-Key", ["k", "order-1001", "a b", "x" * 255], ["", " k", "k ", "é", "x" * 256]),
        ("If-Match", ['"3"'], ["3", 'W/"3"', '"a"', '""', '"03"']),
    ],
)
def test_a_header_is_described_as_it_is_checked(name: str, good: list[str], bad: list[str]) -> None:
    found = [one for path in DOCUMENT["paths"].values() for call in path.values() for one in call["parameters"]]
    schema = next(one["schema"] for one in found if one["name"] == name)
    assert [value for value in [*good, *bad] if is_valid(value, schema)] == good


def test_no_parameter_of_a_query_can_be_null() -> None:
    found = [one for path in DOCUMENT["paths"].values() for call in path.values() for one in call["parameters"]]
    assert not [one["name"] for one in found if one["in"] == "query" and "null" in json.dumps(one["schema"])]


def test_an_unbroken_checkout_is_described_with_every_limit() -> None:
    schema = {"$ref": "#/components/schemas/CheckoutRequest"}
    least = {
        "amount": {"value": 1, "currency": "EUR"},
        "order_reference": "o",
        "return_url": "https://shop.example/",
    }
    assert is_valid(least, schema)
    for broken in (
        {"amount": {"value": 0, "currency": "EUR"}},
        {"amount": {"value": 10**12 + 1, "currency": "EUR"}},
        {"amount": {"value": 1, "currency": "XXX"}},
        {"order_reference": "x" * 65},
        {"return_url": "https://user@shop.example/"},
        {"metadata": {str(number): "" for number in range(21)}},
        {"metadata": {"k" * 41: ""}},
        {"metadata": {"k": "x" * 501}},
        {"lines": [{"name": "x", "quantity": 1, "unit_amount": {"value": 1, "currency": "EUR"}}] * 101},
        {"unknown": 1},
    ):
        assert not is_valid({**least, **broken}, schema), broken


def test_every_currency_is_named() -> None:
    assert set(DOCUMENT["components"]["schemas"]["MoneyRequest"]["properties"]["currency"]["enum"]) == set(EXPONENT)


def test_an_event_is_of_the_media_type_that_subscribers_receive() -> None:
    content = DOCUMENT["webhooks"]["event"]["post"]["requestBody"]["content"]
    assert content.keys() == {CONTENT_TYPE.partition(";")[0]}


def test_a_list_that_is_no_json_tells_its_cursor_in_a_header() -> None:
    (export,) = [one for one in DOCUMENTED if one.name == "export_payments"]
    assert answer(export, 200)["headers"].keys() == {"X-Request-Id", "X-Next-Cursor"}
    assert answer(export, 200)["content"].keys() == {"text/csv"}


def test_what_is_changed_by_version_answers_with_an_etag() -> None:
    changed = [one for one in DOCUMENTED if one.if_match and one.method == "PUT"]
    assert changed
    for operation in changed:
        assert "ETag" in answer(operation, 200)["headers"]
