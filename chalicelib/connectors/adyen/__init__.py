"""Adyen: payment links on Adyen's own page, and standard webhooks."""

from chalicelib.connectors.adyen.connector import AdyenConnector

CONNECTOR = AdyenConnector

__all__ = ["CONNECTOR", "AdyenConnector"]
