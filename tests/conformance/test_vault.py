"""What every vault promises: see `contracts.vault`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from traceback import format_exception

import pytest

from chalicelib.contracts.vault import Use, Vault
from chalicelib.domain.errors import VaultFault
from tests.conformance.vaults import VAULTS, OpenVault
from tests.storage.children import exit_code, fork

SECRET = "sk_live_é😀"
CONTEXT = "shop/connection/api_key"


@pytest.fixture(params=VAULTS, ids=str)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenVault]:
    with request.param.open_for_test(tmp_path, lambda: request.getfixturevalue("ministack_at")) as opened:
        yield opened


@pytest.fixture
def vault(opened: OpenVault) -> Vault:
    return opened.vault


def damaged(token: str) -> list[str]:
    """The token with one character changed, at each place."""
    return [token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :] for place in range(len(token))]


@pytest.mark.parametrize("use", Use)
@pytest.mark.parametrize("secret", ["", "x", SECRET, "long " * 2000], ids=len)
def test_a_sealed_secret_opens_again(vault: Vault, secret: str, use: Use) -> None:
    assert vault.open(vault.seal(secret, context=CONTEXT, use=use), context=CONTEXT) == secret


@pytest.mark.parametrize("use", Use)
def test_a_secret_opens_in_another_process(opened: OpenVault, use: Use) -> None:
    token = opened.vault.seal(SECRET, context=CONTEXT, use=use)
    assert opened.reopen().open(token, context=CONTEXT) == SECRET


def test_a_secret_opens_in_a_forked_process(vault: Vault) -> None:
    token = vault.seal(SECRET, context=CONTEXT)
    assert exit_code(fork(lambda: int(vault.open(token, context=CONTEXT) != SECRET))) == 0


def test_a_token_is_plain_ascii_without_the_secret(vault: Vault) -> None:
    token = vault.seal("sk_live_abcdef", context=CONTEXT)
    assert token.isascii()
    assert token.isprintable()
    assert "sk_live" not in token


def test_one_secret_never_seals_to_the_same_token(vault: Vault) -> None:
    assert len({vault.seal(SECRET, context=CONTEXT) for _ in range(50)}) == 50


@pytest.mark.parametrize("context", ["", "shop/connection/other", CONTEXT + "\0", "\0" + CONTEXT, "\ud800"])
def test_a_token_does_not_open_in_another_context(vault: Vault, context: str) -> None:
    token = vault.seal(SECRET, context=CONTEXT)
    with pytest.raises(VaultFault):
        vault.open(token, context=context)


def test_a_damaged_token_does_not_open_and_the_error_keeps_the_secret(opened: OpenVault) -> None:
    token = opened.vault.seal(SECRET, context=CONTEXT)
    vault = opened.reopen()
    for each in [*damaged(token), token[:-4], token + "AAAA", token[:20]]:
        with pytest.raises(VaultFault) as refused:
            vault.open(each, context=CONTEXT)
        assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "token",
    ["", "v1", "v1..", "v1.x", "k1", "k1.....", "k1.credentials.m.1.%.AAAA", "k1.other.m.1.AAAA.AAAA", "é", "\ud800"],
)
def test_what_is_no_token_does_not_open(vault: Vault, token: str) -> None:
    vault.seal(SECRET, context=CONTEXT)
    with pytest.raises(VaultFault):
        vault.open(token, context=CONTEXT)
    assert not vault.is_current(token)


@pytest.mark.parametrize(("secret", "context"), [("sk_live\ud800", CONTEXT), ("sk_live", "\ud800")])
def test_text_that_is_no_unicode_is_refused_without_showing_it(vault: Vault, secret: str, context: str) -> None:
    with pytest.raises(VaultFault) as refused:
        vault.seal(secret, context=context)
    assert "sk_live" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_the_traceback_of_a_token_that_does_not_open_keeps_the_secret(vault: Vault) -> None:
    token = vault.seal("sk_live_abcdef", context=CONTEXT)
    with pytest.raises(VaultFault) as refused:
        vault.open(token, context="elsewhere")
    assert "sk_live_abcdef" not in "".join(format_exception(refused.value))


@pytest.mark.parametrize("use", Use)
def test_after_a_rotation_old_secrets_open_and_new_ones_are_current(opened: OpenVault, use: Use) -> None:
    vault = opened.vault
    old = vault.seal(SECRET, context=CONTEXT, use=use)
    assert vault.is_current(old, use=use)
    assert vault.rotate()
    new = vault.seal(SECRET, context=CONTEXT, use=use)
    assert [opened.reopen().open(token, context=CONTEXT) for token in (old, new)] == [SECRET, SECRET]
    assert (vault.is_current(old, use=use), vault.is_current(new, use=use)) == (False, True)


def test_each_rotation_leaves_the_tokens_before_it_behind(vault: Vault) -> None:
    tokens = []
    for _ in range(3):
        tokens.append(vault.seal(SECRET, context=CONTEXT))
        vault.rotate()
    assert [vault.is_current(token) for token in tokens] == [False] * 3
    assert vault.is_current(vault.seal(SECRET, context=CONTEXT))


def test_what_is_derived_stays_and_is_of_one_purpose_alone(opened: OpenVault) -> None:
    first = opened.vault.derive("return links")
    opened.vault.rotate()
    assert (opened.vault.derive("return links"), opened.reopen().derive("return links")) == (first, first)
    assert (len(first), opened.vault.derive("another") != first) == (32, True)
