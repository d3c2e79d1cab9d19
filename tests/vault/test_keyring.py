"""What the key ring has of its own: its file, its keys. What every vault promises is in tests/conformance/test_vault.py."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from pathlib import Path

import pytest

from chalicelib.domain.errors import VaultFault
from chalicelib.vault import keyring
from chalicelib.vault.keyring import KeyRing
from tests.storage.children import in_children


def key_id_of(token: str) -> str:
    return token.split(".")[1]


def keys_in(path: Path) -> list[str]:
    return [key["id"] for key in json.loads(path.read_text())["keys"]]


SECRET = "sk_live_é😀"
CONTEXT = "shop/connection/api_key"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def ring(path: Path) -> KeyRing:
    return KeyRing(path)


def test_a_token_names_its_version_and_key_and_hides_the_secret(ring: KeyRing) -> None:
    token = ring.seal(SECRET, context=CONTEXT)
    version, key_id, sealed = token.split(".")
    assert (version, (key_id,)) == ("v1", tuple(keys_in(ring._file.path)))
    assert SECRET.encode() not in base64.urlsafe_b64decode(sealed + "==")


@pytest.mark.parametrize(
    "token", ["", "v1", "v1..", "v1.x", "v2.a.AAAA", "v1.k.%%%%", "v1.k.é", "\ud800", "plain text"]
)
def test_what_is_no_token_does_not_open(ring: KeyRing, token: str) -> None:
    ring.seal(SECRET, context=CONTEXT)
    with pytest.raises(VaultFault):
        ring.open(token, context=CONTEXT)
    assert not ring.is_current(token)


def test_a_token_can_not_claim_another_key(ring: KeyRing) -> None:
    token = ring.seal(SECRET, context=CONTEXT)
    newer = ring.rotate()
    with pytest.raises(VaultFault):
        ring.open(f"v1.{newer}.{token.split('.')[2]}", context=CONTEXT)


# The file


def test_the_file_is_private_to_its_user(ring: KeyRing, path: Path) -> None:
    former = os.umask(0)
    try:
        ring.seal(SECRET, context=CONTEXT)
        ring.rotate()
    finally:
        os.umask(former)
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_use_is_refused_with_the_cure(ring: KeyRing, path: Path, mode: int) -> None:
    token = ring.seal(SECRET, context=CONTEXT)
    path.chmod(mode)
    with pytest.raises(VaultFault, match=f"chmod 600 {path}"):
        KeyRing(path).open(token, context=CONTEXT)


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"format": 1, "keys": []}', '{"format": 1, "keys": [{"id": "a"}]}']
)
def test_a_file_that_is_no_key_ring_is_refused(ring: KeyRing, path: Path, content: str) -> None:
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(VaultFault, match="restore it from a backup"):
        ring.seal(SECRET, context=CONTEXT)
    assert path.read_text() == content


def test_a_key_ring_of_a_newer_version_is_refused(ring: KeyRing, path: Path) -> None:
    ring.seal(SECRET, context=CONTEXT)
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    with pytest.raises(VaultFault, match="newer PaymentServer"):
        KeyRing(path).rotate()


def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(VaultFault, match="Create its directory"):
        KeyRing(tmp_path / "absent" / "keys.json").seal(SECRET, context=CONTEXT)


def test_opening_alone_makes_no_key_ring(ring: KeyRing, path: Path) -> None:
    token = KeyRing(path.with_name("other.json")).seal(SECRET, context=CONTEXT)
    with pytest.raises(VaultFault, match="Restore the key ring"):
        ring.open(token, context=CONTEXT)
    assert not path.exists()


def test_a_ring_that_vanishes_still_opens_and_is_not_replaced(ring: KeyRing, path: Path) -> None:
    token = ring.seal(SECRET, context=CONTEXT)
    path.unlink()
    for change in (lambda: ring.seal(SECRET, context=CONTEXT), ring.rotate):
        with pytest.raises(VaultFault, match="restore it from its backup"):
            change()
    assert ring.open(token, context=CONTEXT) == SECRET
    assert not path.exists()


def test_where_something_was_sealed_before_none_is_made(path: Path) -> None:
    ring = KeyRing(path, has_sealed=lambda: True)
    changes = (lambda: ring.seal(SECRET, context=CONTEXT), lambda: ring.derive("return links"), ring.rotate)
    for change in changes:
        with pytest.raises(VaultFault, match=r"restore it from its backup .* `python -m server.admin new-key-ring`"):
            change()
    assert not path.exists()


def test_whether_something_was_sealed_is_asked_where_there_is_no_ring_alone(path: Path) -> None:
    KeyRing(path).rotate()
    asked: list[bool] = []
    ring = KeyRing(path, has_sealed=lambda: asked.append(True) or True)  # type: ignore[func-returns-value]
    assert ring.open(ring.seal(SECRET, context=CONTEXT), context=CONTEXT) == SECRET
    ring.rotate()
    assert not asked


def test_a_ring_that_is_lost_for_good_is_begun_anew_and_never_over_one_that_is_there(path: Path) -> None:
    ring = KeyRing(path, has_sealed=lambda: True)
    key_id = ring.begin_anew()
    assert key_id_of(ring.seal(SECRET, context=CONTEXT)) == key_id
    with pytest.raises(VaultFault, match="nothing is lost"):
        ring.begin_anew()
    assert keys_in(path) == [key_id]


def test_a_ring_that_is_restored_seals_again(ring: KeyRing, path: Path) -> None:
    token = ring.seal(SECRET, context=CONTEXT)
    path.rename(path.with_name("backup"))
    with pytest.raises(VaultFault):
        ring.seal(SECRET, context=CONTEXT)
    path.with_name("backup").rename(path)
    assert key_id_of(ring.seal(SECRET, context=CONTEXT)) == key_id_of(token)


def test_a_file_cut_off_while_it_is_in_use_is_refused(ring: KeyRing, path: Path) -> None:
    ring.seal(SECRET, context=CONTEXT)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(VaultFault, match="restore it from a backup"):
        KeyRing(path).seal(SECRET, context=CONTEXT)


def test_a_file_that_is_damaged_is_refused_each_time_and_taken_again_once_it_is_mended(
    ring: KeyRing, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in memory must seal nothing meanwhile: after a restart nobody could open it."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    token, whole = ring.seal(SECRET, context=CONTEXT), path.read_bytes()
    path.write_bytes(whole[:-20])
    now[0] += keyring.CHECK_EVERY_S
    for change in (lambda: ring.open(token, context=CONTEXT), lambda: ring.seal(SECRET, context=CONTEXT)) * 2:
        with pytest.raises(VaultFault, match="restore it from a backup"):
            change()
    path.write_bytes(whole)
    assert ring.open(token, context=CONTEXT) == SECRET


def test_of_processes_that_start_together_exactly_one_makes_the_ring(ring: KeyRing, path: Path) -> None:
    def start(number: int) -> int:
        path.with_name(f"token{number}").write_text(ring.seal(SECRET, context=CONTEXT))
        return 0

    in_children(8, start)
    tokens = [path.with_name(f"token{number}").read_text() for number in range(8)]
    assert len({key_id_of(token) for token in tokens}) == 1
    assert [ring.open(token, context=CONTEXT) for token in tokens] == [SECRET] * 8


# Rotation


def test_after_a_rotation_old_secrets_open_and_new_ones_use_the_new_key(ring: KeyRing) -> None:
    old = ring.seal(SECRET, context=CONTEXT)
    newest = ring.rotate()
    new = ring.seal(SECRET, context=CONTEXT)
    assert ring.open(old, context=CONTEXT) == SECRET
    assert key_id_of(new) == newest
    assert (ring.is_current(old), ring.is_current(new)) == (False, True)


def test_another_process_opens_what_a_new_key_sealed_at_once(ring: KeyRing, path: Path) -> None:
    ring.seal(SECRET, context=CONTEXT)
    other = KeyRing(path)
    other.rotate()
    assert ring.open(other.seal("second", context=CONTEXT), context=CONTEXT) == "second"


def test_a_rotation_elsewhere_is_seen_within_the_check_interval(
    ring: KeyRing, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    token = ring.seal(SECRET, context=CONTEXT)
    ring.is_current(token)
    KeyRing(path).rotate()
    assert ring.is_current(token)
    now[0] += keyring.CHECK_EVERY_S
    assert not ring.is_current(token)


def test_rotations_side_by_side_lose_no_key(ring: KeyRing, path: Path) -> None:
    ring.rotate()

    def rotate(number: int) -> int:
        for _ in range(3):
            ring.rotate()
        return 0

    threads = [threading.Thread(target=ring.rotate) for _ in range(4)]
    for thread in threads:
        thread.start()
    in_children(4, rotate)
    for thread in threads:
        thread.join()
    assert len(set(keys_in(path))) == 1 + 4 + 4 * 3


def test_keys_do_not_show_in_representations(ring: KeyRing, path: Path) -> None:
    ring.rotate()
    (key,) = json.loads(path.read_text())["keys"]
    raw = base64.b64decode(key["key"])
    assert repr(raw) not in repr(ring._file.read())
