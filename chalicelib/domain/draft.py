"""An audit entry that rides along with its change, until it stands in the chain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

Json = Any  # what json.loads can return


@dataclass(frozen=True, slots=True)
class Draft:
    """An audit entry that is committed together with its change, until it stands in the chain.

    `before` and `after` are the objects as the API shows them: secrets masked. `change_id` is unique.
    """

    change_id: str
    at: datetime
    actor: str
    client: str
    action: str  # "create", "update", "delete", …
    object_kind: str
    object_id: str
    before: Json
    after: Json
    request_id: str | None = None
