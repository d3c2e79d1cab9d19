"""Paytrail: a hosted payment page in euros, with Finnish banks, cards and mobile methods; payment API 2.0.0.
docs/connectors/paytrail.md has how to set it up, and how it works.

- Paytrail wants an e-mail address with each payment: the shopper's, else the connection's `email`; without either the payment
  is refused before anything is sent.
- The lines are passed on where they come to the amount, else one item for all of it. Their VAT is not known and sent as 0 %.
- A chosen `payment_method` is passed on as Paytrail's group of methods, `card` or `pay_by_bank`; without one the page has all.
- Money is taken at once. Nothing can be captured, cancelled or expired by a call, and a call is never repeated by itself.
- Refunds are asynchronous: `pending` until Paytrail calls back. One whose method can not be refunded by the API is refused.
- Addresses to return to may have 300 characters.
"""

from chalicelib.connectors.paytrail.connector import PaytrailConnector

CONNECTOR = PaytrailConnector

__all__ = ["CONNECTOR", "PaytrailConnector"]
