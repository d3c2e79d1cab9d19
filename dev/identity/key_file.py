"""The signing keys and the cookie secret, in one file that only this user can read."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import RSAAlgorithm

TOKEN_LIVES_S = 3_600
KEPT_S = TOKEN_LIVES_S + 600  # how long a former key stays published: until its last token has ended, and some
Mark = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`retired_s` is when a newer key took over, None for the one that signs."""

    id: str
    retired_s: float | None
    private: RSAPrivateKey = field(repr=False)

    def public_jwk(self) -> dict[str, Any]:
        jwk = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id, "n": jwk["n"], "e": jwk["e"]}


@dataclass(frozen=True, slots=True)
class Secrets:
    keys: tuple[SigningKey, ...]  # the last one signs
    cookie_secret: str = field(repr=False)


class KeyFile:
    """Read again when another process has replaced it: a rotation on the command line reaches a running server."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / "keys.json"
        self._clock = clock
        self._lock = threading.Lock()
        self._read: tuple[Mark, Secrets] | None = None

    def current(self) -> Secrets:
        """Makes the first key where there is none."""
        with self._lock:
            mark = self._mark()
            if self._read is None or mark != self._read[0]:
                if mark is None:
                    self._make_first()
                    mark = self._mark()
                assert mark is not None
                self._read = mark, self._load()
            return self._read[1]

    def signing_key(self) -> SigningKey:
        return self.current().keys[-1]

    def published(self) -> list[dict[str, Any]]:
        """The keys of a JWK set, the signing one first."""
        oldest = self._clock() - KEPT_S
        kept = [key for key in self.current().keys if key.retired_s is None or key.retired_s > oldest]
        return [key.public_jwk() for key in reversed(kept)]

    def rotate(self) -> str:
        """A new key signs from now on; the former ones stay published for KEPT_S. Returns the new key's id."""
        self.current()
        with self._lock, self._alone():
            now, former = self._clock(), self._load()
            retired = (
                SigningKey(key.id, now if key.retired_s is None else key.retired_s, key.private) for key in former.keys
            )
            kept = tuple(key for key in retired if (key.retired_s or now) > now - KEPT_S)
            made = _new_key()
            self._write(Secrets((*kept, made), former.cookie_secret))
            return made.id

    def _make_first(self) -> None:
        with self._alone():
            if self._mark() is None:  # of two that start together, the first one makes it
                self._write(Secrets((_new_key(),), secrets.token_hex(32)))

    def _mark(self) -> Mark | None:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _load(self) -> Secrets:
        content = json.loads(self._path.read_text())
        keys = tuple(SigningKey(one["id"], one["retired_s"], _private_of(one["pem"])) for one in content["keys"])
        return Secrets(keys, content["cookie_secret"])

    def _write(self, content: Secrets) -> None:
        keys = [{"id": key.id, "retired_s": key.retired_s, "pem": _pem_of(key.private)} for key in content.keys]
        temporary = self._path.with_suffix(".new")
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            json.dump({"cookie_secret": content.cookie_secret, "keys": keys}, file, indent=1)
            file.flush()
            os.fsync(handle)
        os.replace(temporary, self._path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer among all processes; one that dies gives the lock back."""
        handle = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _new_key() -> SigningKey:
    return SigningKey(secrets.token_hex(8), None, generate_private_key(public_exponent=65537, key_size=2048))


def _pem_of(key: RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _private_of(pem: str) -> RSAPrivateKey:
    # Our own file: checking the primes again would cost half the start-up.
    key = load_pem_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, RSAPrivateKey)
    return key
