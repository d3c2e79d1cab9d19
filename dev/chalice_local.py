"""Chalice's own server, for development: ``python -m dev.chalice_local --stage localstack --port 8000``."""

from __future__ import annotations

import sys

from chalice.cli import main

if __name__ == "__main__":
    sys.argv[:1] = ["chalice", "local", "--no-autoreload"]
    sys.exit(main())
