"""Swagger UI from the installed `swagger_ui` package; nothing is fetched from elsewhere.

The package is never imported, only its files are read. Where it is not installed (in the cloud) there are no docs.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from chalicelib.api.operation import Answer
from chalicelib.domain.errors import NotFound

_OWN = {
    "index.html": """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>PaymentServer API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
""",
    "start.js": """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null,
  oauth2RedirectUrl: location.origin + "/docs/oauth2-redirect.html",
}).initOAuth({ usePkceWithAuthorizationCodeGrant: true });
""",
    "oauth2-redirect.html": """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Signing in</title></head>
<body><script src="/docs/oauth2-redirect.js"></script></body>
</html>
""",
}
_PACKAGED = ("swagger-ui.css", "swagger-ui-bundle.js")
_REDIRECT = "oauth2-redirect.js"
_TYPE_OF = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def answer_of(asset: str, issuer: str) -> Answer:
    """Raises NotFound for anything but the known files."""
    headers = {
        "Content-Security-Policy": policy_of(issuer),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return Answer(200, _text_of(asset), headers, _TYPE_OF[Path(asset).suffix])


def policy_of(issuer: str) -> str:
    """Scripts are this server's own files alone; Swagger UI sets styles in its markup, and signs in at the issuer."""
    issuer_parts = urlsplit(issuer)
    sign_in = f" {issuer_parts.scheme}://{issuer_parts.netloc}" if issuer_parts.netloc else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        f"connect-src 'self'{sign_in}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@lru_cache(maxsize=8)
def _text_of(asset: str) -> str:
    static = _static()
    if static is not None:
        if asset in _OWN:
            return _OWN[asset]
        if asset in _PACKAGED:
            return (static / asset).read_text(encoding="utf-8")
        if asset == _REDIRECT:
            return _redirect_script((static / "oauth2-redirect.html").read_text(encoding="utf-8"))
    raise NotFound("There is no such page.")


def _redirect_script(page: str) -> str:
    """The package's own script, taken out of its page, because the policy forbids scripts in a page."""
    found = _SCRIPT.search(page)
    assert found is not None, "the package's redirect page has one script"
    return found[1] + "\nrun();\n"


def _static() -> Path | None:
    spec = find_spec("swagger_ui")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / "static"
