"""The sandbox PSPs' connector (development alone)."""

from chalicelib.connectors.sandbox.connector import SandboxConnector

__all__ = ["SandboxConnector"]
