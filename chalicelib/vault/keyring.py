"""Secrets sealed with AES-256-GCM under keys in one file that only this user can read."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chalicelib.contracts.vault import Use
from chalicelib.domain.errors import VaultFault
from chalicelib.vault.ring_file import Ring, RingFile, RingKey

NONCE_BYTES = 12  # random: one key is good for 2³² secrets, far beyond what a configuration holds
CHECK_EVERY_S = 1.0


class KeyRing:
    """A token reads ``v1.<key id>.<base64url of nonce and ciphertext>``.

    The token's head and the context are authenticated with it: neither can be exchanged. The file is made when the
    first secret is sealed, and read again when another process has replaced it. Lose the file, and every secret is
    lost: it belongs into a backup, but not into the database's. Where it vanishes while it is in use, what is in memory
    still opens, and nothing is sealed; where it is damaged, nothing opens either. None is made where `has_sealed` says
    that there was one: a new ring in its place would hide the loss, and give other return links and webhook addresses
    than shoppers and PSPs were given.
    """

    def __init__(self, path: str | os.PathLike[str], *, has_sealed: Callable[[], bool] = lambda: False) -> None:
        """`has_sealed`: whether anything that is stored was sealed; asked where there is no file."""
        self._file = RingFile(Path(path))
        self._has_sealed = has_sealed
        # Replaced as a whole and never locked: threads may read the file twice, and a fork can not catch a lock held.
        self._ring: Ring | None = None
        self._check_at = 0.0

    def seal(self, secret: str, *, context: str, use: Use = Use.CREDENTIALS) -> str:
        """One key seals for every use: whoever can read the file can open them all."""
        key = self._sealing()
        head = f"v1.{key.id}"
        try:
            text, bound = secret.encode(), _bound_of(head, context)
        except UnicodeEncodeError:
            raise VaultFault("The secret or its context is not valid Unicode; nothing was sealed.") from None
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + AESGCM(key.secret).encrypt(nonce, text, bound)
        return f"{head}.{base64.urlsafe_b64encode(sealed).rstrip(b'=').decode()}"

    def open(self, token: str, *, context: str) -> str:
        """Raises VaultFault for a token that is damaged, of another context, or sealed with a key that is not here."""
        key_id, sealed = _parts_of(token)
        key = self._key(key_id)
        if key is None:
            raise VaultFault(
                f"A secret was sealed with the key {key_id}, which {self._file.path} does not hold. "
                "Restore the key ring that belongs to this database, or enter the secret again."
            )
        nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return AESGCM(key.secret).decrypt(nonce, text, _bound_of(f"v1.{key_id}", context)).decode()
        except (InvalidTag, ValueError):  # ValueError: too short, or not text
            raise VaultFault(
                "A secret does not open: it was changed, or moved here from another place. Enter it again."
            ) from None

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose alone (HKDF-SHA256, RFC 5869) from the oldest key, so that a rotation keeps them."""
        oldest = (self._known() or self._created()).keys[0]
        return HKDF(hashes.SHA256(), 32, salt=None, info=purpose.encode()).derive(oldest.secret)

    def is_current(self, token: str, *, use: Use = Use.CREDENTIALS) -> bool:
        """False for anything but a token of the newest key; whether it opens is another question."""
        ring = self._known()
        return ring is not None and token.startswith(f"v1.{ring.newest.id}.")

    def rotate(self) -> str:
        """Adds a key, with which secrets are sealed from now on, and returns its id. Former keys still open."""
        with self._file.locked():
            former = self._file.read()
            if former is None and (self._ring is not None or self._has_sealed()):
                raise self._vanished()
            self._ring = ring = self._file.write((*(former.keys if former else ()), self._new_key()))
        return ring.newest.id

    def begin_anew(self) -> str:
        """Makes a ring where the former is lost for good, and returns its key's id: what that sealed must be entered again.
        Raises VaultFault where there is a ring."""
        with self._file.locked():
            if self._file.read() is not None:
                raise VaultFault(f"There is a key ring, {self._file.path}: nothing is lost, so none is made.")
            self._ring = ring = self._file.write((self._new_key(),))
        return ring.newest.id

    def _key(self, key_id: str) -> RingKey | None:
        for at_once in (False, True):  # an unknown key may be one that another process added just now
            ring = self._known(at_once=at_once)
            for key in ring.keys if ring else ():
                if key.id == key_id:
                    return key
        return None

    def _known(self, *, at_once: bool = False) -> Ring | None:
        ring, now = self._ring, time.monotonic()
        if at_once or now >= self._check_at:
            if self._file.mark() != (ring and ring.mark):
                self._ring = ring = self._file.read() or ring
            self._check_at = now + CHECK_EVERY_S  # only now: a file that can not be read is refused each time
        return ring

    def _sealing(self) -> RingKey:
        ring = self._known()
        if ring is not None and self._file.mark() is None:
            raise self._vanished()
        return (ring or self._created()).newest

    def _vanished(self) -> VaultFault:
        return VaultFault(
            f"The key ring {self._file.path} is gone: restore it from its backup before anything else. Nothing was sealed. "
            "Where it is lost for good, `python -m server.admin new-key-ring` makes another; then enter every secret again."
        )

    def _created(self) -> Ring:
        with self._file.locked():
            # Of several processes that start together, the first one makes it.
            ring = self._file.read()
            if ring is None:
                if self._has_sealed():
                    raise self._vanished()
                ring = self._file.write((self._new_key(),))
            self._ring = ring
        return ring

    def _new_key(self) -> RingKey:
        return RingKey(secrets.token_hex(8), int(time.time()), AESGCM.generate_key(bit_length=256))


def _parts_of(token: str) -> tuple[str, bytes]:
    version, _, rest = token.partition(".")
    key_id, _, text = rest.partition(".")
    try:
        if version != "v1" or not key_id:
            raise ValueError
        sealed = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise VaultFault("What is stored in a secret's place is not a sealed secret. Enter the secret again.") from None
    return key_id, sealed


def _bound_of(head: str, context: str) -> bytes:
    """Key ids hold no NUL, so no two pairs of head and context look alike."""
    return f"{head}\0{context}".encode()
