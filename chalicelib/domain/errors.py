"""Every error PaymentServer raises on purpose, in one tree.

    PaymentServerError
    ├── Refused                     the request can not be served as it stands
    │   ├── Unreadable              400  not JSON, duplicate keys, a malformed header
    │   ├── SignatureInvalid        400  a webhook that its PSP did not sign
    │   ├── Unauthenticated         401  no valid access token
    │   ├── Forbidden               403  a valid token without the scope or the merchant account
    │   ├── NotFound                404  absent, or another merchant account's
    │   ├── MethodNotAllowed        405  the address takes other methods; carries them
    │   ├── Conflict                409  the object's state forbids it
    │   ├── InProgress              409  the same call is running; carries retry_after_s
    │   ├── PreconditionFailed      412  If-Match names an older version
    │   ├── TooLarge                413  over a size limit
    │   ├── Invalid                 422  the schema or a rule refuses it; carries pointers
    │   ├── PreconditionRequired    428  If-Match is missing
    │   └── TooManyRequests         429  more came than can be looked into; carries retry_after_s
    └── Fault                       the request was fine, we could not serve it
        ├── StaleVersion            409  somebody else wrote first (services reload and decide again)
        ├── StorageFault            503  the database could not take or give the data
        ├── StorageFull             507  the disk or a size limit of the database is reached
        ├── StorageReadOnly         503  the database accepts no writes
        ├── StorageTooNew           503  a newer PaymentServer has written the database
        ├── QueueFault              503  the queue could not take or give a message
        ├── VaultFault              503  a secret could not be sealed or opened
        └── IdentityFault           503  the identity provider's keys could not be had

A decline is an outcome, not an error: see ``contracts.connector``. `STATUS_OF` gives each leaf's HTTP answer, and a test
holds the table to the tree.
"""

from __future__ import annotations

from dataclasses import dataclass


class PaymentServerError(Exception):
    """The root. `slug` names the page under ``/problems/`` that explains the error."""

    slug = "error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Refused(PaymentServerError):
    """The request can not be served as it stands; the caller can mend it."""


class Fault(PaymentServerError):
    """The request was fine, but it could not be served; trying again may help."""


class Unreadable(Refused):
    slug = "unreadable"


class SignatureInvalid(Refused):
    slug = "signature-invalid"


class Unauthenticated(Refused):
    """`presented` is False where no token came at all."""

    slug = "unauthenticated"

    def __init__(self, detail: str, presented: bool = True) -> None:
        super().__init__(detail)
        self.presented = presented


class Forbidden(Refused):
    """`scope` is the one that the token lacks; None where something else is missing."""

    slug = "forbidden"

    def __init__(self, detail: str, scope: str | None = None) -> None:
        super().__init__(detail)
        self.scope = scope


class NotFound(Refused):
    slug = "not-found"


class MethodNotAllowed(Refused):
    """`methods` are those that this address takes."""

    slug = "method-not-allowed"

    def __init__(self, detail: str, methods: frozenset[str] = frozenset()) -> None:
        super().__init__(detail)
        self.methods = methods


class Conflict(Refused):
    """`slug` may be given where the API promises a name of its own, for example ``attempt-still-payable``."""

    slug = "conflict"

    def __init__(self, detail: str, slug: str = "conflict") -> None:
        super().__init__(detail)
        self.slug = slug


class InProgress(Refused):
    slug = "in-progress"

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class PreconditionFailed(Refused):
    slug = "precondition-failed"


class TooLarge(Refused):
    slug = "too-large"


@dataclass(frozen=True, slots=True)
class Pointer:
    """One thing wrong with a body. `pointer` is an RFC 6901 JSON pointer such as ``/amount/value``."""

    pointer: str
    detail: str


class Invalid(Refused):
    slug = "invalid"

    def __init__(self, detail: str, errors: tuple[Pointer, ...] = (), slug: str = "invalid") -> None:
        super().__init__(detail)
        self.errors = errors
        self.slug = slug


class PreconditionRequired(Refused):
    slug = "precondition-required"


class TooManyRequests(Refused):
    slug = "too-many-requests"

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class StaleVersion(Fault):
    slug = "stale-version"


class StorageFault(Fault):
    slug = "storage-fault"


class StorageFull(Fault):
    slug = "storage-full"


class StorageReadOnly(Fault):
    slug = "storage-read-only"


class StorageTooNew(Fault):
    slug = "storage-fault"


class QueueFault(Fault):
    slug = "queue-fault"


class VaultFault(Fault):
    slug = "vault-fault"


class IdentityFault(Fault):
    slug = "identity-fault"


STATUS_OF: dict[type[PaymentServerError], int] = {
    Unreadable: 400,
    SignatureInvalid: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    InProgress: 409,
    PreconditionFailed: 412,
    TooLarge: 413,
    Invalid: 422,
    PreconditionRequired: 428,
    TooManyRequests: 429,
    StaleVersion: 409,
    StorageFault: 503,
    StorageFull: 507,
    StorageReadOnly: 503,
    StorageTooNew: 503,
    QueueFault: 503,
    VaultFault: 503,
    IdentityFault: 503,
}


def leaves(root: type[PaymentServerError]) -> set[type[PaymentServerError]]:
    """The classes below `root` that have no children of their own."""
    children = root.__subclasses__()
    return {root} if not children else set().union(*(leaves(child) for child in children))
