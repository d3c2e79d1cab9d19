"""Which currencies Adyen takes, and in which units (docs.adyen.com/development-resources/currency-codes).

Amounts are integers in minor units, with Adyen's own exponents for four currencies: the Chilean peso and the Icelandic króna
are written with two decimals, the Cape Verdean escudo and the rupiah with none. Only these departures, and the currencies with
no or three decimals, are confirmed; Adyen refuses by itself what an account does not take.
"""

from __future__ import annotations

from chalicelib.contracts.amounts import MinorUnits

_TAKEN = (
    "AED ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BMD BND BOB BRL BSD BWP BYN BZD CAD CHF CLP CNY COP CRC CVE CZK DJF DKK "
    "DOP DZD EGP ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD ISK JMD JOD JPY KES KGS KHR "
    "KMF KRW KWD KYD KZT LAK LBP LKR LYD MAD MDL MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB "
    "PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD STN SVC SZL THB TND TOP TRY TTD TWD TZS "
    "UAH UGX USD UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR ZMW"
)
CURRENCIES = frozenset(_TAKEN.split())
AMOUNTS = MinorUnits(departures={"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2})
