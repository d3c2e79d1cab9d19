"""What things are called: the logical ids of a template, and the names of what it makes.

Everything carries the stack's name, so that two stacks in one account never meet. What reads tables goes by the parameter
`TablePrefix`, because restored tables have names of their own (docs/deploy.md).
"""

from __future__ import annotations

from chalicelib.contracts.queue import Topic

# Functions by the names that app.py gives them: the resource that Chalice makes of it, and its log group's.
FUNCTIONS = {
    "api_handler": "APIHandler",
    "webhooks": "Webhooks",
    "apply": "Apply",
    "notify": "Notify",
    "attend": "Attend",
    "sweep": "Sweep",
    "measure": "Measure",
}
LOG_GROUPS = {
    **{name: f"{resource}LogGroup" for name, resource in FUNCTIONS.items()},
    "api_handler": "ApiHandlerLogGroup",
}
CONSUMER_OF = {Topic.INBOUND: "apply", Topic.EVENTS: "notify", Topic.CHORES: "attend"}
SCHEDULED = ("sweep", "measure")
STAGE = "api"  # API Gateway's stage: the first part of every path where no domain of one's own is mapped


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def table_id(kind: str) -> str:
    return f"{_camel(kind)}Table"


def queue_id(topic: Topic) -> str:
    return f"{_camel(topic)}Queue"


def dead_letters_id(topic: Topic) -> str:
    return f"{_camel(topic)}DeadLetters"


def function_name(name: str) -> str:
    """With ``${AWS::StackName}`` still to be filled in. Explicit, so that a function's policy can name its own log group, and
    its settings the API that calls it, without a circle of references."""
    return "${AWS::StackName}-" + name.removesuffix("_handler")
