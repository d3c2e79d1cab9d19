"""Payment methods and languages by Mollie's names (docs.mollie.com/reference/create-payment)."""

from __future__ import annotations

# Ours and Mollie's, of those that a shopper can pay once with on Mollie's page. Direct debits need a mandate, terminals a
# shop, Billie a company's name, vouchers the categories of what is sold.
METHODS = {
    "alma": "alma",
    "apple_pay": "applepay",
    "bancomat_pay": "bancomatpay",
    "bancontact": "bancontact",
    "bank_transfer": "banktransfer",
    "belfius": "belfius",
    "billink": "billink",
    "bizum": "bizum",
    "blik": "blik",
    "card": "creditcard",
    "eps": "eps",
    "gift_card": "giftcard",
    "ideal": "ideal",
    "in3": "in3",
    "kbc": "kbc",
    "klarna": "klarna",
    "mb_way": "mbway",
    "mobilepay": "mobilepay",
    "multibanco": "multibanco",
    "mybank": "mybank",
    "p24": "przelewy24",
    "pay_by_bank": "paybybank",
    "paypal": "paypal",
    "paysafecard": "paysafecard",
    "riverty": "riverty",
    "satispay": "satispay",
    "swish": "swish",
    "trustly": "trustly",
    "twint": "twint",
    "vipps": "vipps",
}
BY_MAIL = "banktransfer"  # Mollie writes to the shopper at once where it is told her e-mail address

_LOCALES = (
    "ca_ES cs_CZ da_DK de_AT de_CH de_DE de_LU en_BE en_GB en_NL en_US es_ES fi_FI fr_BE fr_FR fr_LU hu_HU is_IS it_IT lt_LT "
    "lv_LV nb_NO nl_BE nl_NL pl_PL pt_PT sk_SK sv_SE"
)
LOCALES = frozenset(_LOCALES.split())
_USUAL = {locale[:2]: locale for locale in sorted(LOCALES, reverse=True)} | {
    "de": "de_DE",
    "en": "en_US",
    "fr": "fr_FR",
    "nl": "nl_NL",
    "nn": "nb_NO",
    "no": "nb_NO",
}


def locale_of(tag: str | None) -> str | None:
    """Mollie's locale for a BCP 47 tag: the same, or the usual one of its language. None where Mollie has none: then it
    takes the browser's."""
    parts = (tag or "").replace("_", "-").split("-")
    language = parts[0].lower()
    region = next((part.upper() for part in parts[1:] if len(part) == 2), "")
    same = f"{language}_{region}"
    return same if same in LOCALES else _USUAL.get(language)
