"""Paystack: its own payment page, for businesses in Nigeria, Ghana, Kenya, South Africa and Côte d'Ivoire.
docs/connectors/paystack.md has how to set it up, and how it works.

- Paystack wants an e-mail address with each payment: the shopper's, else the connection's `email`, else it is refused here.
- A chosen `payment_method` leaves one channel on the page; without one it has all that the account has. Metadata and the
  order's reference are shown with the payment. Names, addresses, lines and locale are not passed on: its API takes none.
- Cards, transfers and mobile money are captured at once. A page has no end that Paystack tells of: a shopper whose card was
  declined may try again on it, and one who left may come back.
- XOF is sent with two decimals, as Paystack counts it. Each account takes only the currencies that it was given.
- Where the account has shoppers bear Paystack's fees, they are left out: the payment is what was asked, and a refund gives back
  as much. Anything else beyond it is an anomaly.
- Refunds are asynchronous, and Paystack has no idempotency keys: one whose answer was lost is looked for in its list of
  refunds and is never sent again. One that is not found there stays unknown until an operator decides.
"""

from chalicelib.connectors.paystack.connector import PaystackConnector

CONNECTOR = PaystackConnector

__all__ = ["CONNECTOR", "PaystackConnector"]
