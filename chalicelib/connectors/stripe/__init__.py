"""Stripe: Checkout Sessions on Stripe's own page."""

from chalicelib.connectors.stripe.connector import StripeConnector

CONNECTOR = StripeConnector

__all__ = ["CONNECTOR", "StripeConnector"]
