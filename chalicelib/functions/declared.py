"""The whole Chalice app: the API's routes, and every other function as `chalice package` must see it.

Names become resources: `webhooks` is `Webhooks` in the template. Queues are named here because Chalice asks for a name; a
deployment's template puts its own in their place, and everything else that Chalice can not say.
"""

from __future__ import annotations

from typing import Any

from chalice.app import Chalice, Rate

from chalicelib.api.application import build_models, create_app
from chalicelib.functions.handlers import handler_of

# Function: queue and messages a batch. Attending asks PSPs, which may take 8 s a message.
QUEUES = {
    "apply": ("paymentserver-inbound", 10),
    "notify": ("paymentserver-events", 10),
    "attend": ("paymentserver-chores", 10),
}
SCHEDULES = {"sweep": "Queues what is due.", "measure": "Rolls statistics up and watches the guardrails of A/B tests."}
EVERY_MINUTE = Rate(1, unit=Rate.MINUTES)


def whole_app() -> Chalice:
    app = create_app()
    build_models()  # a server of many threads is made of this app
    app.lambda_function(name="webhooks")(_plain("webhooks"))
    for name, (queue, batch) in QUEUES.items():
        app.on_sqs_message(queue=queue, batch_size=batch, name=name)(_of_event(name))
    for name, description in SCHEDULES.items():
        app.schedule(EVERY_MINUTE, name=name, description=description)(_of_event(name))
    return app


def _plain(name: str) -> Any:
    def call(event: Any, context: Any) -> Any:
        return handler_of(name)(event, context)

    call.__name__ = name  # Chalice makes the handler's address of it
    return call


def _of_event(name: str) -> Any:
    """Chalice's test client hands its own event object over; Lambda calls the handler itself."""

    def call(event: Any) -> Any:
        return handler_of(name)(event.to_dict(), event.context)

    call.__name__ = name
    return call
