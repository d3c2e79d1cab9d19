"""moto's AWS as a WSGI application, for a server that keeps connections open, which moto's own does not."""

from __future__ import annotations

from moto.server import DomainDispatcherApplication, create_backend_app

application = DomainDispatcherApplication(create_backend_app)
