"""The sandbox PSPs of a developer's machine, which `make run` starts: offered in development alone. Their manual is
dev/sandbox/README.md."""

from chalicelib.connectors.sandbox.connector import SandboxConnector

CONNECTOR = SandboxConnector

__all__ = ["CONNECTOR", "SandboxConnector"]
