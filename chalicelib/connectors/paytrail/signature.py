"""How Paytrail signs, both ways alike: requests, answers, and the queries of callbacks and redirects.

HMAC in hexadecimal over all `checkout-` names and values as `name:value`, sorted by name, each with a line feed behind it, and
then the exact body, which a query has not. `checkout-algorithm` says which hash (docs.paytrail.com, "Authentication": header
and redirect signing). Nothing but `checkout-` names is signed, so nothing else may be believed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping

ALGORITHM = "sha256"  # of our requests; Paytrail takes either, and answers in the same
_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
# Those that there are, and those that may be added (docs.paytrail.com). No colon: where a name ends is in no doubt.
_NAME = re.compile(r"checkout-[a-z0-9_-]{1,60}")
_SIGNATURE = re.compile(r"[0-9a-f]{64}(?:[0-9a-f]{64})?")
_PLAIN = re.compile(r"[^\n\r\ud800-\udfff]{0,2000}")  # on one line, and text that can be encoded


def signed_part(parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters or headers that a signature is about."""
    return {name: value for name, value in parameters.items() if _NAME.fullmatch(name)}


def signature_of(secret: str, algorithm: str, parameters: Mapping[str, str], body: bytes) -> str:
    """Raises KeyError for an algorithm that Paytrail has not."""
    lines = "".join(f"{name}:{value}\n" for name, value in sorted(signed_part(parameters).items()))
    return hmac.new(secret.encode(), lines.encode() + body, _HASHES[algorithm]).hexdigest()


def is_signed(parameters: Mapping[str, str], body: bytes, secrets: Iterable[str]) -> bool:
    """Whether `signature` among the parameters fits them and the body, by one of the secrets. In constant time for each, and
    never an error, whatever comes."""
    given, said = parameters.get("signature"), signed_part(parameters)
    algorithm = said.get("checkout-algorithm")
    if given is None or algorithm is None or algorithm not in _HASHES or not _SIGNATURE.fullmatch(given):
        return False
    if not all(_PLAIN.fullmatch(value) for value in said.values()):
        return False
    fits = [hmac.compare_digest(signature_of(secret, algorithm, said, body), given) for secret in secrets]
    return any(fits)
