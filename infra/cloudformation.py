"""CloudFormation's own functions, as few as are used here. Each gives a JSON value to place in a template."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
NO_VALUE: Json = {"Ref": "AWS::NoValue"}


def ref(name: str) -> Json:
    return {"Ref": name}


def arn_of(resource: str) -> Json:
    return {"Fn::GetAtt": [resource, "Arn"]}


def attribute_of(resource: str, attribute: str) -> Json:
    return {"Fn::GetAtt": [resource, attribute]}


def sub(text: str, **values: Any) -> Json:
    """`text` with ``${Name}`` filled in by CloudFormation, from `values` first."""
    return {"Fn::Sub": [text, values] if values else text}


def when(condition: str, then: Any, otherwise: Any = NO_VALUE) -> Json:
    return {"Fn::If": [condition, then, otherwise]}


def is_set(parameter: str) -> Json:
    """A condition: the parameter is not empty."""
    return {"Fn::Not": [{"Fn::Equals": [ref(parameter), ""]}]}
