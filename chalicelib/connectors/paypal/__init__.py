"""PayPal: Orders v2 with the hosted approval page, captured after the shopper's return. docs/connectors/paypal.md has how to
set it up, how it works, and what nobody has confirmed.

- Nothing is paid on PayPal's page: PaymentServer takes what the shopper approved once she is back, by a return link of its own.
- A webhook only says where to look, and is asked about: PayPal signs no more than a checksum of it.
"""

from chalicelib.connectors.paypal.connector import PayPalConnector

CONNECTOR = PayPalConnector
__all__ = ["CONNECTOR", "PayPalConnector"]
