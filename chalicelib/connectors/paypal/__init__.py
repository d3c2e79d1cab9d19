"""PayPal: Orders v2 with the hosted approval page, captured after the shopper's return."""

from chalicelib.connectors.paypal.connector import PayPalConnector

CONNECTOR = PayPalConnector
__all__ = ["CONNECTOR", "PayPalConnector"]
