"""What the KMS vault asks of KMS and how often, and what it makes of KMS' refusals."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import count

import pytest

from chalicelib.contracts.vault import Use
from chalicelib.domain.errors import VaultFault
from chalicelib.outbound import aws
from chalicelib.vault import kms
from chalicelib.vault.kms import KmsVault
from tests.servers.aws import ScriptedAws, scripted_aws

ARN = "arn:aws:kms:eu-central-1:123456789012:key/"
CONTEXT = "shop/connection/api_key"
_numbers = count()


@pytest.fixture
def scripted() -> Iterator[ScriptedAws]:
    with scripted_aws() as scripted:
        yield scripted


class Time:
    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def vault(scripted: ScriptedAws, time: Time) -> KmsVault:
    return KmsVault("alias/credentials", "alias/webhooks", "alias/links", budget_s=0, clock=time, monotonic=time)


def text(some: bytes) -> str:
    return base64.b64encode(some).decode()


def data_key(scripted: ScriptedAws, key: str = "1") -> None:
    """KMS' next answer is a new data key of that KMS key."""
    number = next(_numbers)
    plain, blob = text(b"%032d" % number), text(b"sealed-%d" % number)
    scripted.answer({"KeyId": ARN + key, "Plaintext": plain, "CiphertextBlob": blob})


def operations(scripted: ScriptedAws) -> list[str]:
    return [operation for operation, _ in scripted.asked]


def test_a_data_key_is_asked_for_with_the_key_and_the_context_of_its_use(
    scripted: ScriptedAws, vault: KmsVault
) -> None:
    for use in Use:
        data_key(scripted)
        vault.seal("secret", context=CONTEXT, use=use)
    assert scripted.asked == [
        (
            "GenerateDataKey",
            {
                "KeyId": f"alias/{use}",
                "KeySpec": "AES_256",
                "EncryptionContext": {"application": "PaymentServer", "use": use},
            },
        )
        for use in ("credentials", "webhooks")
    ]


def test_a_token_opens_with_the_context_of_its_use(scripted: ScriptedAws, vault: KmsVault, time: Time) -> None:
    data_key(scripted)
    token = vault.seal("secret", context=CONTEXT, use=Use.WEBHOOKS)
    time.s += kms.OPENED_FOR_S
    scripted.answer({"Plaintext": text(vault._sealing[Use.WEBHOOKS].secret)})
    assert vault.open(token, context=CONTEXT) == "secret"
    operation, asked = scripted.asked[-1]
    assert (operation, asked["EncryptionContext"]["use"]) == ("Decrypt", "webhooks")


def test_a_token_of_one_use_does_not_pass_for_one_of_the_other(scripted: ScriptedAws, vault: KmsVault) -> None:
    data_key(scripted)
    token = vault.seal("secret", context=CONTEXT, use=Use.WEBHOOKS)
    with pytest.raises(VaultFault):
        vault.open(token.replace(".webhooks.", ".credentials."), context=CONTEXT)


def test_many_secrets_cost_one_call(scripted: ScriptedAws, vault: KmsVault) -> None:
    data_key(scripted)
    tokens = [vault.seal(str(number), context=CONTEXT) for number in range(100)]
    assert [vault.open(token, context=CONTEXT) for token in tokens] == [str(number) for number in range(100)]
    assert operations(scripted) == ["GenerateDataKey"]


def test_a_data_key_seals_for_a_while(scripted: ScriptedAws, vault: KmsVault, time: Time) -> None:
    for wait_s, calls in ((0, 1), (kms.SEALS_FOR_S - 1, 1), (1, 2)):
        data_key(scripted)
        time.s += wait_s
        vault.seal("secret", context=CONTEXT)
        scripted._server.answers.clear()
        assert len(scripted.asked) == calls


def test_a_data_key_seals_so_many_secrets(scripted: ScriptedAws, vault: KmsVault) -> None:
    for _ in range(3):
        data_key(scripted)
    heads = [vault.seal("secret", context=CONTEXT).rpartition(".")[0] for _ in range(2 * kms.SEALS_MAX + 1)]
    assert [heads.count(head) for head in dict.fromkeys(heads)] == [kms.SEALS_MAX, kms.SEALS_MAX, 1]


def test_an_opened_data_key_is_kept_for_a_while(scripted: ScriptedAws, vault: KmsVault, time: Time) -> None:
    data_key(scripted)
    token = vault.seal("secret", context=CONTEXT)
    key = text(vault._sealing[Use.CREDENTIALS].secret)
    for wait_s, calls in ((kms.OPENED_FOR_S - 1, 0), (1, 1), (kms.OPENED_FOR_S - 1, 1), (1, 2)):
        scripted.answer({"Plaintext": key})
        time.s += wait_s
        assert vault.open(token, context=CONTEXT) == "secret"
        scripted._server.answers.clear()
        assert operations(scripted).count("Decrypt") == calls


def test_no_more_data_keys_are_kept_than_the_bound(
    scripted: ScriptedAws, vault: KmsVault, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kms, "OPENED_MAX", 3)
    for _ in range(7):
        data_key(scripted)
        vault.seal("secret", context=CONTEXT)
        time.s += kms.SEALS_FOR_S
        assert len(vault._opened) <= 3


def test_links_are_derived_by_the_hmac_key_once(scripted: ScriptedAws, vault: KmsVault) -> None:
    scripted.answer({"Mac": text(b"m" * 32)})
    assert [vault.derive("return links") for _ in range(3)] == [b"m" * 32] * 3
    message = text(b"return links")
    asked = {"KeyId": "alias/links", "MacAlgorithm": "HMAC_SHA_256", "Message": message}
    assert scripted.asked == [("GenerateMac", asked)]


def test_a_token_of_a_kms_key_that_was_replaced_opens_and_is_not_current(
    scripted: ScriptedAws, vault: KmsVault, time: Time
) -> None:
    data_key(scripted, "1")
    token = vault.seal("secret", context=CONTEXT)
    assert vault.is_current(token)
    time.s += kms.SEALS_FOR_S  # meanwhile the alias names another key
    data_key(scripted, "2")
    assert not vault.is_current(token)
    assert vault.open(token, context=CONTEXT) == "secret"


def test_a_token_sealed_for_another_use_is_not_current(scripted: ScriptedAws, vault: KmsVault) -> None:
    data_key(scripted)
    token = vault.seal("secret", context=CONTEXT)
    data_key(scripted)
    assert not vault.is_current(token, use=Use.WEBHOOKS)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDeniedException", "KMS' GenerateDataKey with PAYMENTSERVER_VAULT_KEY: .*Allow it in the role"),
        ("NotFoundException", "Correct PAYMENTSERVER_VAULT_KEY, or the region"),
        ("DisabledException", "Enable the key"),
        ("KMSInvalidStateException", "cancel the deletion"),
        ("InvalidKeyUsageException", "The key is of another kind"),
        ("KeyUnavailableException", "Try again"),
        ("ThrottlingException", "Try again"),
    ],
)
def test_a_refusal_of_kms_says_what_to_mend(scripted: ScriptedAws, vault: KmsVault, code: str, words: str) -> None:
    scripted.refuse(code, message="User is not authorized")
    with pytest.raises(VaultFault, match=words) as refused:
        vault.seal("sk_live_abcdef", context=CONTEXT)
    assert "sk_live" not in str(refused.value)


@pytest.mark.parametrize("code", ["InvalidCiphertextException", "IncorrectKeyException"])
def test_a_data_key_that_is_not_ours_says_that_the_secret_is_to_be_entered_again(
    scripted: ScriptedAws, vault: KmsVault, time: Time, code: str
) -> None:
    data_key(scripted)
    token = vault.seal("secret", context=CONTEXT)
    time.s += kms.OPENED_FOR_S
    scripted.refuse(code)
    with pytest.raises(VaultFault, match="Enter it again"):
        vault.open(token, context=CONTEXT)


def test_kms_out_of_reach_is_a_fault_that_passes(vault: KmsVault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    aws.forget()
    for call in (lambda: vault.seal("secret", context=CONTEXT), lambda: vault.derive("return links")):
        with pytest.raises(VaultFault, match=r"no answer came .*Try again"):
            call()


def test_throttling_is_waited_out_within_the_budget(scripted: ScriptedAws) -> None:
    patient = KmsVault("alias/credentials", "alias/webhooks", "alias/links")
    scripted.refuse("ThrottlingException")
    scripted.refuse("KMSInternalException", 500)
    data_key(scripted)
    token = patient.seal("secret", context=CONTEXT)
    assert patient.open(token, context=CONTEXT) == "secret"


def test_after_a_fault_the_vault_works_again(scripted: ScriptedAws, vault: KmsVault) -> None:
    scripted.refuse("AccessDeniedException")
    with pytest.raises(VaultFault):
        vault.seal("secret", context=CONTEXT)
    data_key(scripted)
    assert vault.open(vault.seal("secret", context=CONTEXT), context=CONTEXT) == "secret"


def test_data_keys_do_not_show_in_representations(scripted: ScriptedAws, vault: KmsVault) -> None:
    data_key(scripted)
    vault.seal("secret", context=CONTEXT)
    raw = vault._sealing[Use.CREDENTIALS].secret
    assert raw.decode() not in repr(vars(vault))
