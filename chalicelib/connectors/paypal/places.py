"""PayPal's ids and addresses, checked before they lead anywhere: what a webhook names goes into no path unseen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chalicelib.connectors.paypal.tables import Subject
from chalicelib.contracts.page import page_in
from chalicelib.domain.ids import payment_id_in

_ID = re.compile(r"[A-Z0-9]{1,36}")
_DISPUTE_ID = re.compile(r"PP-[A-Za-z0-9-]{1,60}")
_OPERATION = re.compile(r"op_[a-z2-7]{24}_[a-z2-7]{10}\Z")

PATH = {
    Subject.ORDER: "/v2/checkout/orders",
    Subject.AUTHORIZATION: "/v2/payments/authorizations",
    Subject.CAPTURE: "/v2/payments/captures",
    Subject.REFUND: "/v2/payments/refunds",
    Subject.DISPUTE: "/v1/customer/disputes",
}


def path_of(subject: Subject, id: object) -> str:
    """Raises ValueError for what is no id of PayPal's."""
    form = _DISPUTE_ID if subject is Subject.DISPUTE else _ID
    if not isinstance(id, str) or not form.fullmatch(id):
        raise ValueError("PayPal's ids are upper-case letters and digits")
    return f"{PATH[subject]}/{id}"


def subject_of(path: str) -> Subject:
    """Whose path it is. Raises ValueError for one that `path_of` did not make."""
    collection, _, id = path.rpartition("/")
    found = next((subject for subject, one in PATH.items() if one == collection), None)
    if found is None or path_of(found, id) != path:
        raise ValueError("this is no place at PayPal's")
    return found


def page_of(links: object, *relations: str) -> str | None:
    """The first link of one of those relations, None where there is none. Raises ValueError where it leads anywhere but to
    PayPal."""
    found = {str(link["rel"]): str(link["href"]) for link in links} if isinstance(links, list) else {}
    url = next((found[one] for one in relations if one in found), None)
    if url is None:
        return None
    return page_in(url, below="paypal.com")


def capture_id_in(refund: Mapping[str, Any]) -> str | None:
    """The capture that a refund is of, by its link `up`: the id at the end of its path."""
    for link in refund.get("links") or ():
        if link.get("rel") == "up":
            id = str(link.get("href")).rpartition(f"{PATH[Subject.CAPTURE]}/")[2]
            return id if _ID.fullmatch(id) else None
    return None


def attempt_in(text: object) -> str | None:
    """The attempt that a `custom_id` names, None where it is none of ours."""
    ours = isinstance(text, str) and text.startswith("att_") and payment_id_in(text) is not None
    return str(text) if ours else None


def operation_in(thing: Mapping[str, Any]) -> str | None:
    """The operation that an `invoice_id` ends with, None where nobody of ours asked for the movement."""
    found = _OPERATION.search(str(thing.get("invoice_id") or ""))
    return found.group() if found else None
