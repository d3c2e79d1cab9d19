"""The audit log: who changed what, when."""

from __future__ import annotations

from chalicelib.api.listing import PageQuery, list_answer
from chalicelib.api.models_configuration import AuditList
from chalicelib.api.operation import Answer, Call, operation
from chalicelib.services.configured_view import audit_view
from chalicelib.services.kinds import AUDIT


@operation(
    "GET",
    "/v1/audit",
    summary="List changes to the configuration, the newest first",
    description="Each entry's `hash` covers the one before it, so that no entry can be changed or taken out unnoticed.",
    tag="Audit",
    scope="audit:read",
    query=PageQuery,
    answers={200: AuditList},
)
def list_audit(call: Call) -> Answer:
    query: PageQuery = call.query
    page = call.wiring.store.find(AUDIT, "by_merchant", call.merchant_id, after=query.cursor, limit=query.limit)
    return list_answer(page, audit_view)
