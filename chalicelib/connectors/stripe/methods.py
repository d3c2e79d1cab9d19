"""Payment methods and languages by Stripe's names."""

from __future__ import annotations

# Ours and Stripe's, where Checkout takes one with mode=payment (docs.stripe.com/payments/payment-methods).
_METHODS = (
    "affirm afterpay_clearpay alipay alma amazon_pay au_becs_debit bacs_debit bancontact billie blik boleto card cashapp eps "
    "fpx grabpay ideal kakao_pay klarna konbini kr_card link mb_way mobilepay multibanco naver_pay oxxo p24 pay_by_bank "
    "payco paynow paypal pix promptpay revolut_pay samsung_pay satispay sepa_debit swish twint us_bank_account wechat_pay zip"
)
METHODS = {name: name for name in _METHODS.split()}

_LOCALES = (
    "bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hr hu id it ja ko lt lv ms mt nb nl pl pt pt-BR ro ru sk sl sv th "
    "tr vi zh zh-HK zh-TW"
)
LOCALES = frozenset(_LOCALES.split())
_BESIDES = {"no": "nb", "nn": "nb", "tl": "fil", "in": "id", "zh-hant": "zh-TW", "zh-mo": "zh-HK"}
_LATIN_AMERICA = "AR BO CL CO CR CU DO EC GT HN MX NI PA PE PR PY SV US UY VE"


def locale_of(tag: str | None) -> str:
    """Stripe's language for a BCP 47 tag; `auto` is the browser's."""
    parts = (tag or "").replace("_", "-").split("-")
    language, region = parts[0].lower(), next((part.upper() for part in parts[1:] if len(part) == 2), "")
    besides = [_BESIDES.get("-".join(parts[:count]).lower()) for count in (2, 1)]
    if language == "es" and region in _LATIN_AMERICA.split():
        return "es-419"
    candidates = (f"{language}-{region}", *besides, language)
    return next((one for one in candidates if one in LOCALES), "auto")
