"""A PSP's own specification, and whether it takes a request or has a value so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jsonschema_rs import Draft202012Validator
from openapi_schema_validator import OAS30Validator

from chalicelib.contracts.conversation import HttpRequest
from tests.conformance.connectors.specs import spec_file

_PARTS = ("allOf", "anyOf", "oneOf")


@cache
def specification(name: str) -> Specification:
    """Skips as `spec_file` does."""
    return Specification(json.loads(spec_file(name)))


class Specification:
    """An OpenAPI document: of version 3.1, whose schemas are JSON Schema, or of 3.0, whose are nearly so. Formats count."""

    def __init__(self, document: Any) -> None:
        self.document, self.schemas = document, document["components"]["schemas"]
        self.url: str = document.get("servers", [{"url": ""}])[0]["url"]
        self._validators: dict[str, Any] = {}

    def resolved(self, part: Any) -> Any:
        """What a `$ref` stands for, in the end."""
        while "$ref" in part:
            found: Any = self.document
            for name in part["$ref"][2:].split("/"):
                found = found[name]
            part = found
        return part

    def operation(self, method: str, url: str) -> tuple[str, Any]:
        """The template of its path, and what the specification says of it. `url` may be a path alone."""
        path = urlsplit(url).path.removeprefix(urlsplit(self.url).path)
        for template in sorted(self.document["paths"], key=lambda one: one.count("{")):
            known = self.document["paths"][template].get(method.lower())
            if known and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                return template, self.resolved(known)
        raise AssertionError(f"{method} {path} is in no specification")

    def body_schema(self, operation: Any) -> Any:
        return self.resolved(operation["requestBody"])["content"]["application/json"]["schema"]

    def wrong(self, schema: Any, value: Any) -> list[str]:
        """What the schema has against it, each where it stands."""
        text = json.dumps(schema)
        if text not in self._validators:
            self._validators[text] = self._validator({**schema, "components": self.document["components"]})
        if isinstance(self._validators[text], OAS30Validator):
            errors = ((one.path, one.message) for one in self._validators[text].iter_errors(value))
        else:
            errors = ((one.instance_path, one.message) for one in self._validators[text].iter_errors(value))
        return [f"{'/'.join(map(str, path))}: {message[:200]}" for path, message in errors]

    def wrong_in_answer(self, method: str, url: str, status: int, body: Any) -> list[str] | None:
        """What it has against an answer, which is nothing where it gives that one no body; None where it has no such answer."""
        _, operation = self.operation(method, url)
        if str(status) not in operation["responses"]:
            return None
        contents = self.resolved(operation["responses"][str(status)]).get("content", {})
        return [one for content in contents.values() for one in self.wrong(content["schema"], body)]

    def _validator(self, schema: Any) -> Any:
        if self.document["openapi"].startswith("3.0"):
            return OAS30Validator(schema, format_checker=OAS30Validator.FORMAT_CHECKER)
        return Draft202012Validator(schema, validate_formats=True)

    def fields(self, schema: Any) -> dict[str, Any]:
        """All that an object may hold, whatever parts it is put together from."""
        schema = self.resolved(schema)
        found = dict(schema.get("properties", {}))
        for part in (one for kind in _PARTS for one in schema.get(kind, ())):
            found = {**self.fields(part), **found}
        return found

    def lists(self, *names: str) -> dict[str, set[str]]:
        """Each list of words for a field of one of these names, by where it stands: `order.payer.status`."""
        found: dict[str, set[str]] = {}
        for schema, part in self.schemas.items():
            for at, field in self._fields_below(part, schema):
                words = set(self._words(field)) if at.rpartition(".")[2] in names else set()
                if words:
                    found[at] = found.get(at, set()) | words
        return found

    def _fields_below(self, part: Any, at: str) -> Iterator[tuple[str, Any]]:
        """Those that the schema itself has, and not those of what it refers to."""
        for name, field in part.get("properties", {}).items():
            yield f"{at}.{name}", field
            yield from self._fields_below(field, f"{at}.{name}")
        for inner in (*(part.get(kind, ()) for kind in _PARTS), [part["items"]] if "items" in part else []):
            for one in inner:
                yield from self._fields_below(one, at)

    def _words(self, part: Any) -> Iterator[str]:
        part = self.resolved(part)
        yield from (one for one in part.get("enum", ()) if one is not None)
        for kind in _PARTS:
            for inner in part.get(kind, ()):
                yield from self._words(inner)

    def unknown(self, schema: Any, value: Any, at: str = "") -> Iterator[str]:
        """Fields that it does not know, though its schemas are open: the PSP would leave them unread, or refuse them."""
        if isinstance(value, dict):
            known = self.fields(schema)
            for name, part in value.items():
                if known and name not in known:
                    yield f"{at}/{name}"
                elif name in known:
                    yield from self.unknown(known[name], part, f"{at}/{name}")
        elif isinstance(value, list):
            for part in value:
                yield from self.unknown(self.resolved(schema).get("items", {}), part, at)

    def check(self, request: HttpRequest) -> tuple[str, Any]:
        """The template of its path and its body, once its address, query, headers and body are ones that the PSP takes."""
        assert request.url.startswith(f"{self.url}/")
        template, operation = self.operation(request.method, request.url)
        parameters = [self.resolved(one) for one in operation.get("parameters", ())]
        queries = {one["name"] for one in parameters if one["in"] == "query"}
        assert {name for name, _ in parse_qsl(urlsplit(request.url).query)} <= queries
        given = {"path": self._places(template, request.url), "header": request.headers}
        for one in parameters:
            text = given.get(one["in"], {}).get(one["name"])
            if text is not None:
                value = int(text) if one["schema"].get("type") == "integer" else text
                assert not self.wrong(one["schema"], value), one["name"]
        return template, self._body(request, operation)

    def _places(self, template: str, url: str) -> dict[str, str]:
        path = urlsplit(url).path.removeprefix(urlsplit(self.url).path)
        parts = zip(template.split("/"), path.split("/"), strict=True)
        return {name[1:-1]: text for name, text in parts if name.startswith("{")}

    def _body(self, request: HttpRequest, operation: Any) -> Any:
        if "requestBody" not in operation:
            assert request.body in (None, b"{}")
            return None
        if request.body is None and request.method == "DELETE":
            return None
        body, schema = json.loads(request.body or b""), self.body_schema(operation)
        read_only = {name for name, one in self.fields(schema).items() if self._is_read_only(one)}
        answered = {f": {quote}{name}{quote} is a required property" for name in read_only for quote in "'\""}
        errors = [one for one in self.wrong(schema, body) if one not in answered]
        assert not errors, errors[0]
        unknown = list(self.unknown(schema, body))
        assert not unknown, f"{unknown[0]} is no field of the specification"
        return body

    def _is_read_only(self, schema: Any) -> bool:
        """Whether it is in answers alone: what is required and read-only is not required of a request."""
        schema = self.resolved(schema)
        return schema.get("readOnly") is True or any(map(self._is_read_only, schema.get("allOf", ())))
