"""Connections, routes, subscriptions and audit entries as the API shows them: plain JSON values, secrets masked."""

from __future__ import annotations

from chalicelib.domain.configuration import AuditEntry, Connection, Route, RouteVersion, SigningSecret, Subscription
from chalicelib.domain.payment import Json
from chalicelib.domain.view import text_of
from chalicelib.services.secrets import masked


def connection_view(connection: Connection) -> dict[str, Json]:
    return {
        "id": connection.id,
        "connector": connection.connector,
        "enabled": connection.enabled,
        "settings": masked(connection.settings, connection.secrets),
        "override": connection.override,
        **_standing(connection),
    }


def route_view(route: Route) -> dict[str, Json]:
    return {**route.document, **_standing(route)}


def route_version_view(version: RouteVersion) -> dict[str, Json]:
    return {
        **version.document,
        "version": version.version,
        "created_at": text_of(version.created_at),
        "created_by": version.created_by,
    }


def subscription_view(subscription: Subscription) -> dict[str, Json]:
    return {
        "id": subscription.id,
        "name": subscription.name,
        "channel": subscription.channel,
        "target": masked(subscription.target, subscription.secrets),
        "events": list(subscription.events),
        "enabled": subscription.enabled,
        "secrets": [signing_view(one) for one in subscription.signing],
        **_standing(subscription),
    }


def signing_view(secret: SigningSecret) -> dict[str, Json]:
    shown = {"id": secret.id, "created_at": text_of(secret.created_at)}
    return shown if secret.public_key is None else {**shown, "public_key": secret.public_key}


def _standing(of: Connection | Route | Subscription) -> dict[str, Json]:
    return {"version": of.version, "created_at": text_of(of.created_at), "updated_at": text_of(of.updated_at)}


def audit_view(entry: AuditEntry) -> dict[str, Json]:
    draft = entry.draft
    return {
        "sequence": entry.sequence,
        "at": text_of(draft.at),
        "actor": draft.actor,
        "client": draft.client,
        "action": draft.action,
        "object_kind": draft.object_kind,
        "object_id": draft.object_id,
        "before": draft.before,
        "after": draft.after,
        "request_id": draft.request_id,
        "change_id": draft.change_id,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }
