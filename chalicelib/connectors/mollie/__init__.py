"""Payments on Mollie's own pages, with its Payments API, version 2.

- Mollie's webhooks are not signed and have only an id in them. Each payment is made with a webhook address of its own, whose
  token is the proof; what there is to know is then asked. An address that Mollie can not reach (`localhost`) is left out.
- Webhooks of the Dashboard, which are signed, can tell of the same beside that.
- The order's lines where they come to its amount, otherwise the whole as one; addresses that are complete; the customer's name,
  e-mail address and telephone number; the language. Of metadata, what Mollie has room for (1 kB).
- Money is held where capture is manual and the method can; several captures, and after the last the rest is released. A
  release is `pending` until Mollie says that it happened, which a bank may never do.
- Most pages can not be ended before their time, which Mollie sets by method: 15 minutes for many.
- For a bank transfer the e-mail address is kept from Mollie, which would write to the shopper before she has seen the page.
- A chargeback is `opened` for good, or `won` once it is reversed; Mollie names no time until which it can be answered.
- Payments can not be looked up by our reference, so an opening that was never answered is repeated with its key, which Mollie
  keeps for an hour.
"""

from chalicelib.connectors.mollie.connector import MollieConnector

CONNECTOR = MollieConnector

__all__ = ["CONNECTOR", "MollieConnector"]
