"""The key ring's file: private to its user, replaced as a whole, safely, by one process at a time."""

from __future__ import annotations

import base64
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chalicelib.domain.errors import VaultFault

OTHERS = 0o077
KEY_BYTES = 32
Mark = tuple[int, int, int]  # device, inode, time of change in ns


@dataclass(frozen=True, slots=True)
class RingKey:
    id: str
    created_s: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ring:
    """At least one key, oldest first; the last one seals. `mark` tells this version of the file from others."""

    keys: tuple[RingKey, ...]
    mark: Mark

    @property
    def newest(self) -> RingKey:
        return self.keys[-1]


class RingFile:
    """Every method raises VaultFault when the file can not be used; no message holds a key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def mark(self) -> Mark | None:
        """None when there is no file yet."""
        with self._told("looked at"):
            try:
                return _mark_of(os.stat(self.path))
            except FileNotFoundError:
                return None

    def read(self) -> Ring | None:
        """None when there is no file yet."""
        with self._told("read"):
            try:
                handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            with open(handle, "rb") as file:
                status = os.fstat(handle)
                if status.st_mode & OTHERS:
                    raise VaultFault(
                        f"The key ring {self.path} can be read or written by other users. Run `chmod 600 {self.path}`; "
                        "if others have had access to this machine, rotate the keys and the secrets too."
                    )
                text = file.read()
        return self._ring_of(text, _mark_of(status))

    def write(self, keys: tuple[RingKey, ...]) -> Ring:
        """Durable when it returns; a reader, or a crash, meets either the former ring or the new one."""
        entries = [
            {"id": key.id, "created_s": key.created_s, "key": base64.b64encode(key.secret).decode()} for key in keys
        ]
        temporary = self.path.with_name(f".{self.path.name}.new")  # ours alone while `locked`
        with self._told("written"):
            temporary.unlink(missing_ok=True)
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(handle, "w", encoding="utf-8") as file:
                os.fchmod(handle, 0o600)
                json.dump({"format": 1, "keys": entries}, file, indent=1)
                file.flush()
                os.fsync(handle)
                status = os.fstat(handle)
            os.replace(temporary, self.path)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return Ring(keys, _mark_of(status))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time, across processes and threads; a process that dies gives the lock back."""
        with self._told("locked"):
            handle = os.open(
                self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        try:
            with self._told("locked"):
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)  # closing is not enough: a child forked meanwhile has the file open too
            os.close(handle)

    def _ring_of(self, text: bytes, mark: Mark) -> Ring:
        try:
            content = json.loads(text)
            if content["format"] != 1:
                raise VaultFault(f"The key ring {self.path} was written by a newer PaymentServer: update this one.")
            keys = tuple(
                RingKey(str(key["id"]), int(key["created_s"]), base64.b64decode(key["key"], validate=True))
                for key in content["keys"]
            )
            if not keys or any(len(key.secret) != KEY_BYTES or "." in key.id or "\0" in key.id for key in keys):
                raise ValueError
        except (ValueError, KeyError, TypeError):
            raise VaultFault(
                f"The file {self.path} is no key ring, or a damaged one: restore it from a backup."
            ) from None
        return Ring(keys, mark)

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise VaultFault(
                f"The key ring {self.path} could not be {done}: {error.strerror}. "
                "Create its directory, and let this process read and write there."
            ) from error


def _mark_of(status: os.stat_result) -> Mark:
    return status.st_dev, status.st_ino, status.st_mtime_ns
