"""Secrets sealed with AES-256-GCM under data keys that AWS KMS seals: envelope encryption.

KMS is asked once for a data key that seals many secrets, and once for each data key that is opened. It holds a key for
credentials and one for webhook secrets, and who may decrypt with which is IAM's to say. The encryption context names the use,
so that a data key of one use never passes for one of the other, and shows in CloudTrail.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chalicelib.contracts.vault import Use
from chalicelib.domain.errors import VaultFault
from chalicelib.outbound import aws

NONCE_BYTES = 12  # random: with SEALS_MAX secrets a data key, far from where they might repeat
SEALS_FOR_S = 300.0  # how long one data key seals
SEALS_MAX = 1_000
OPENED_FOR_S = (
    3_600.0  # how long a process opens without asking KMS, so how long a right that was taken away still works
)
OPENED_MAX = 1_000
MAC = "HMAC_SHA_256"

_SETTINGS = {Use.CREDENTIALS: "VAULT_KEY", Use.WEBHOOKS: "WEBHOOK_VAULT_KEY"}
_MENDS = {
    "AccessDeniedException": "Allow it in the role of this function, and in the key's policy.",
    "NotFoundException": "Correct PAYMENTSERVER_{setting}, or the region.",
    "DisabledException": "Enable the key.",
    "KMSInvalidStateException": "The key waits for its deletion or import: cancel the deletion.",
    "InvalidKeyUsageException": "The key is of another kind: correct PAYMENTSERVER_{setting}.",
}
_NOT_OURS = ("InvalidCiphertextException", "IncorrectKeyException")
_DOES_NOT_OPEN = "A secret does not open: it was changed, or moved here from another place. Enter it again."


@dataclass(frozen=True, slots=True)
class _Token:
    """Reads ``k1.<use>.<mark of the KMS key>.<made at, ms since 1970>.<sealed data key>.<nonce and ciphertext>``; all but the
    last part is the head, which is authenticated with the secret."""

    head: str
    use: Use
    mark: str
    made_ms: int
    data_key: bytes


@dataclass(slots=True)
class _Sealing:
    """A data key that seals, and what its tokens begin with."""

    token: _Token
    secret: bytes = field(repr=False)
    ends_s: float
    left: int = SEALS_MAX


@dataclass(frozen=True, slots=True)
class _Kept:
    secret: bytes = field(repr=False)
    ends_s: float


class KmsVault:
    """Safe across threads and forks: what is cached is replaced as a whole. The keys are KMS' ids, ARNs or aliases; one that
    is replaced by another in the settings still opens, as long as the role may decrypt with it."""

    def __init__(
        self,
        vault_key: str,
        webhook_vault_key: str,
        link_key: str,
        *,
        budget_s: float = aws.BUDGET_S,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = {Use.CREDENTIALS: vault_key, Use.WEBHOOKS: webhook_vault_key}
        self._link_key, self._budget_s, self._clock, self._monotonic = link_key, budget_s, clock, monotonic
        self._sealing: dict[Use, _Sealing] = {}
        self._opened: dict[bytes, _Kept] = {}  # by sealed data key
        self._derived: dict[str, bytes] = {}
        self._rotated_ms = 0

    def seal(self, secret: str, *, context: str, use: Use = Use.CREDENTIALS) -> str:
        try:
            text, bound = secret.encode(), context.encode()
        except UnicodeEncodeError:
            raise VaultFault("The secret or its context is not valid Unicode; nothing was sealed.") from None
        sealing = self._sealing_of(use)
        sealing.left -= 1
        head, nonce = sealing.token.head, secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(sealing.secret).encrypt(nonce, text, f"{head}\0".encode() + bound)
        return f"{head}.{_text_of(nonce + sealed)}"

    def open(self, token: str, *, context: str) -> str:
        """Raises VaultFault for a token that is damaged, of another context, or whose data key KMS does not open."""
        parts, sealed = _parts_of(token)
        key = self._opened_key(parts)
        try:
            bound = f"{parts.head}\0{context}".encode()
            return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound).decode()
        except (InvalidTag, ValueError):  # ValueError: too short, or not text
            raise VaultFault(_DOES_NOT_OPEN) from None

    def is_current(self, token: str, *, use: Use = Use.CREDENTIALS) -> bool:
        """False too for a token of another KMS key than the settings name now, and for what is no token."""
        try:
            parts, _ = _parts_of(token)
        except VaultFault:
            return False
        newest = self._sealing_of(use).token
        return (parts.use, parts.mark) == (use, newest.mark) and parts.made_ms >= self._rotated_ms

    def rotate(self) -> str:
        """KMS renews its own keys by itself; here, this process takes fresh data keys. Others do within SEALS_FOR_S."""
        former = [one.token.made_ms for one in self._sealing.values()]
        self._rotated_ms = max(self._now_ms(), *(made_ms + 1 for made_ms in former), self._rotated_ms + 1)
        self._sealing = {}
        return f"kms:{self._sealing_of(Use.CREDENTIALS).token.mark}"

    def derive(self, purpose: str) -> bytes:
        """By the HMAC key, which must stay: KMS does not renew such keys."""
        if purpose not in self._derived:
            asked = {"KeyId": self._link_key, "MacAlgorithm": MAC, "Message": purpose.encode()}
            self._derived[purpose] = bytes(self._asked("generate_mac", asked, "Mac", "LINK_KEY")["Mac"])
        return self._derived[purpose]

    def _sealing_of(self, use: Use) -> _Sealing:
        sealing = self._sealing.get(use)
        if sealing is None or sealing.left <= 0 or self._monotonic() >= sealing.ends_s:
            self._sealing[use] = sealing = self._new_sealing(use)
        return sealing

    def _new_sealing(self, use: Use) -> _Sealing:
        asked = {"KeyId": self._keys[use], "KeySpec": "AES_256", "EncryptionContext": _context_of(use)}
        answer = self._asked("generate_data_key", asked, "Plaintext", _SETTINGS[use])
        mark = hashlib.sha256(answer["KeyId"].encode()).hexdigest()[:12]
        made_ms, data_key = max(self._now_ms(), self._rotated_ms), bytes(answer["CiphertextBlob"])
        token = _Token(f"k1.{use.value}.{mark}.{made_ms}.{_text_of(data_key)}", use, mark, made_ms, data_key)
        self._keep(data_key, bytes(answer["Plaintext"]))
        return _Sealing(token, bytes(answer["Plaintext"]), self._monotonic() + SEALS_FOR_S)

    def _opened_key(self, token: _Token) -> bytes:
        kept = self._opened.get(token.data_key)
        if kept is not None and self._monotonic() < kept.ends_s:
            return kept.secret
        asked = {"CiphertextBlob": token.data_key, "EncryptionContext": _context_of(token.use)}
        key = bytes(self._asked("decrypt", asked, "Plaintext", _SETTINGS[token.use])["Plaintext"])
        if len(key) != 32:
            raise VaultFault(_DOES_NOT_OPEN)
        self._keep(token.data_key, key)
        return key

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def _keep(self, data_key: bytes, secret: bytes) -> None:
        if len(self._opened) >= OPENED_MAX:
            self._opened = {}
        self._opened[data_key] = _Kept(secret, self._monotonic() + OPENED_FOR_S)

    def _asked(self, operation: str, asked: Mapping[str, Any], has: str, setting: str) -> dict[str, Any]:
        try:
            return aws.call("kms", operation, asked, has=has, budget_s=self._budget_s)
        except aws.AwsFault as fault:
            if fault.code in _NOT_OURS:
                raise VaultFault(_DOES_NOT_OPEN) from None
            mend = _MENDS.get(fault.code, "Try again." if fault.passing else "See the KMS API's errors.")
            action = "".join(part.capitalize() for part in operation.split("_"))
            raise VaultFault(
                f"KMS' {action} with PAYMENTSERVER_{setting}: {fault.told} ({fault.code}). {mend.format(setting=setting)}"
            ) from None


def _context_of(use: Use) -> dict[str, str]:
    return {"application": "PaymentServer", "use": use.value}


def _text_of(some: bytes) -> str:
    return base64.urlsafe_b64encode(some).rstrip(b"=").decode()


def _bytes_of(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _parts_of(token: str) -> tuple[_Token, bytes]:
    """A token's head, and what is sealed. Raises VaultFault for what is none."""
    try:
        head, _, sealed = token.rpartition(".")
        version, use, mark, made_ms, data_key = head.split(".")
        if version != "k1" or not data_key:
            raise ValueError
        return _Token(head, Use(use), mark, int(made_ms), _bytes_of(data_key)), _bytes_of(sealed)
    except (ValueError, binascii.Error):
        raise VaultFault("What is stored in a secret's place is not a sealed secret. Enter the secret again.") from None
