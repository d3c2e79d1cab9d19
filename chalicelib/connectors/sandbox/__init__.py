"""The sandbox PSPs' connector (development alone)."""

from chalicelib.connectors.sandbox.connector import SandboxConnector

CONNECTOR = SandboxConnector

__all__ = ["CONNECTOR", "SandboxConnector"]
