"""Subscriptions: where status changes are sent."""

from __future__ import annotations

from dataclasses import asdict

from chalicelib.api.configured import actor_of, changed, deleted, expected_of, versioned
from chalicelib.api.listing import PageQuery, list_answer
from chalicelib.api.models_configuration import (
    NewSigningSecretModel,
    NewSubscriptionModel,
    SubscriptionList,
    SubscriptionModel,
    SubscriptionTestModel,
)
from chalicelib.api.models_recovery import RecoveryModel, RecoveryRequest
from chalicelib.api.operation import Answer, Call, operation
from chalicelib.services import configure_subscriptions as configure
from chalicelib.services.check_subscription import check_subscription as check
from chalicelib.services.configured_view import signing_view, subscription_view
from chalicelib.services.recover import recover

TAG = "Subscriptions"
EXAMPLE = {
    "name": "Order system",
    "channel": "webhook",
    "target": {"url": "https://shop.example/payment-events"},
    "events": ["payment.*", "operation.failed"],
    "enabled": True,
}


@operation(
    "GET",
    "/v1/subscriptions",
    summary="List subscriptions, the newest first",
    tag=TAG,
    scope="config:read",
    query=PageQuery,
    answers={200: SubscriptionList},
)
def list_subscriptions(call: Call) -> Answer:
    query: PageQuery = call.query
    page = configure.list_subscriptions(call.wiring.ports, call.merchant_id, after=query.cursor, limit=query.limit)
    return list_answer(page, subscription_view)


@operation(
    "POST",
    "/v1/subscriptions",
    summary="Create a subscription",
    description="The answer holds the signing secret of a webhook, this once; with `signature` `ed25519` there is none to "
    "keep, and `secrets` always show the public key.",
    tag=TAG,
    scope="config:write",
    body=configure.SubscriptionBody,
    answers={201: NewSubscriptionModel},
    example=EXAMPLE,
)
def create_subscription(call: Call) -> Answer:
    made, secret = configure.create_subscription(call.wiring.ports, actor_of(call), call.merchant_id, call.body)
    shown = subscription_view(made)
    return changed(call, shown if secret is None else {**shown, "signing_secret": secret}, 201)


@operation(
    "GET",
    "/v1/subscriptions/{id}",
    summary="Read a subscription",
    tag=TAG,
    scope="config:read",
    answers={200: SubscriptionModel},
)
def read_subscription(call: Call) -> Answer:
    found = configure.read_subscription(call.wiring.ports, call.merchant_id, call.params["id"])
    return versioned(subscription_view(found))


@operation(
    "PUT",
    "/v1/subscriptions/{id}",
    summary="Change a subscription",
    description="Its channel never changes. What is left out stays, and so does a secret sent as `********`.",
    tag=TAG,
    scope="config:write",
    body=configure.SubscriptionChange,
    answers={200: SubscriptionModel},
    if_match=True,
    example={**EXAMPLE, "events": ["*"]},
)
def update_subscription(call: Call) -> Answer:
    made = configure.update_subscription(
        call.wiring.ports, actor_of(call), call.merchant_id, call.params["id"], call.body, expected_of(call)
    )
    return changed(call, subscription_view(made))


@operation(
    "DELETE",
    "/v1/subscriptions/{id}",
    summary="Delete a subscription",
    tag=TAG,
    scope="config:write",
    answers={204: None},
    if_match=True,
)
def delete_subscription(call: Call) -> Answer:
    configure.delete_subscription(
        call.wiring.ports, actor_of(call), call.merchant_id, call.params["id"], expected_of(call)
    )
    return deleted(call)


@operation(
    "POST",
    "/v1/subscriptions/{id}/secrets",
    summary="Add a second signing secret, to rotate",
    description="Until one of them is ended, each webhook is signed with both. It is of the kind that the target's `signature` "
    "says now.",
    tag=TAG,
    scope="config:write",
    answers={201: NewSigningSecretModel},
    problems=(409,),
)
def add_signing_secret(call: Call) -> Answer:
    signing, secret = configure.add_signing_secret(
        call.wiring.ports, actor_of(call), call.merchant_id, call.params["id"]
    )
    call.wiring.configuration.forget()
    shown = signing_view(signing)
    return Answer(201, shown if secret is None else {**shown, "signing_secret": secret})


@operation(
    "DELETE",
    "/v1/subscriptions/{id}/secrets/{secret_id}",
    summary="End a signing secret",
    tag=TAG,
    scope="config:write",
    answers={204: None},
    problems=(409,),
)
def end_signing_secret(call: Call) -> Answer:
    configure.end_signing_secret(
        call.wiring.ports, actor_of(call), call.merchant_id, call.params["id"], call.params["secret_id"]
    )
    return deleted(call)


@operation(
    "POST",
    "/v1/subscriptions/{id}/tests",
    summary="Send a test event to a subscription, now",
    tag=TAG,
    scope="config:write",
    answers={200: SubscriptionTestModel},
    problems=(409,),
)
def check_subscription(call: Call) -> Answer:
    return Answer(200, asdict(check(call.wiring.ports, call.merchant_id, call.params["id"])))


@operation(
    "POST",
    "/v1/subscriptions/{id}/recoveries",
    summary="Send everything since a time that did not arrive",
    description="Events of the time when the subscription was disabled or did not exist, too. Where `cursor` is not null, "
    "call again with it for the rest.",
    tag=TAG,
    scope="config:write",
    body=RecoveryRequest,
    answers={201: RecoveryModel},
    problems=(409,),
    example={"since": "2026-03-01T00:00:00Z"},
)
def recover_subscription(call: Call) -> Answer:
    body: RecoveryRequest = call.body
    done = recover(call.wiring.ports, call.merchant_id, call.params["id"], body.since, body.cursor)
    return Answer(201, asdict(done))
