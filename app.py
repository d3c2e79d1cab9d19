"""The Chalice app. Importing it needs no setting, no secret and no network."""

from chalicelib.api.application import create_app

app = create_app()
