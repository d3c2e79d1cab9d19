"""Checkout Sessions on Stripe's own page, at API version 2026-10-28.endive.

- The amount is kept as it was asked: no adaptive pricing, promotion codes or automatic tax.
- An order's lines are passed on where they come to its amount; a shipping address with a street and a customer's name; the
  customer's e-mail address; the language. A Checkout Session takes no billing address.
- Stripe captures a payment once. What a smaller capture leaves is given back.
- Several methods settle days later (bank debits, vouchers): the payment is `pending` until Stripe says that the money came.
- Króna and shillings have whole units alone, ariary no decimals, and the third decimal of dinars and rials is zero: any other
  amount goes to the next PSP.
- Refunds and disputes made at Stripe's Dashboard are found by their Payment Intent.
- A page can not be looked up by our reference, so an opening that was never answered is repeated with its key, for 12 hours.
"""

from chalicelib.connectors.stripe.connector import StripeConnector

CONNECTOR = StripeConnector

__all__ = ["CONNECTOR", "StripeConnector"]
