"""The development identity server as a Flask app: discovery, keys, and what guards every request."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, abort, jsonify, request

from dev.identity import sign_in, token_endpoint
from dev.identity.accounts import API_SCOPES, PERSON_SCOPES, is_local_origin
from dev.identity.codes import Codes
from dev.identity.issuer import Issuer
from dev.identity.key_file import KeyFile

BODY_LIMIT_BYTES = 16 * 1024
DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/.well-known/jwks.json"
_FOR_SCRIPTS = frozenset({DISCOVERY, KEYS, "/token", "/userinfo"})  # what the Studio's script calls from its own port


def create_app(issuer: str, state_dir: Path, audience: str = "paymentserver") -> Flask:
    """`issuer` is where it is reached, ``http://localhost:<port>``. Raises ValueError for any other kind of address.

    `state_dir` keeps the signing keys; it is made where it is missing.
    """
    host = urlsplit(issuer).hostname or ""
    if urlsplit(issuer).scheme != "http" or not _is_loopback(host) or issuer.endswith("/"):
        raise ValueError(f"The development issuer must be http://localhost:<port>, not {issuer!r}.")
    keys = KeyFile(Path(state_dir))
    made, codes = Issuer(issuer, audience, keys), Codes()
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=keys.current().cookie_secret,
        SESSION_COOKIE_NAME="identity_session",  # cookies know no ports, and other local servers have a `session` too
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=BODY_LIMIT_BYTES,
    )
    app.register_blueprint(sign_in.routes(made, codes))
    app.register_blueprint(token_endpoint.routes(made, codes))
    app.before_request(_refuse_other_hosts)
    app.after_request(_finish)

    @app.get(DISCOVERY)
    def discovery() -> Response:
        return jsonify(metadata_of(issuer))

    @app.get(KEYS)
    def published_keys() -> Response:
        return jsonify({"keys": keys.published()})

    @app.post("/rotate")
    def rotate() -> Response:
        """For this machine's command line: a browser always sends `Origin` with a POST, so no web page can call it."""
        if "Origin" in request.headers or not _is_loopback(request.remote_addr or ""):
            abort(403)
        return jsonify({"kid": keys.rotate()})

    return app


def metadata_of(issuer: str) -> dict[str, object]:
    """OpenID Connect Discovery 1.0, section 3."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "end_session_endpoint": f"{issuer}/logout",
        "jwks_uri": f"{issuer}{KEYS}",
        "scopes_supported": [*PERSON_SCOPES, *API_SCOPES],
        "claims_supported": ["sub", "name", "preferred_username", "auth_time", "nonce"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "prompt_values_supported": ["none", "login"],
        "authorization_response_iss_parameter_supported": True,
    }


def _refuse_other_hosts() -> None:
    """A foreign name that was made to resolve to this machine (DNS rebinding) gets nothing."""
    if not _is_loopback(urlsplit(f"//{request.host}").hostname or ""):
        abort(421)


def _finish(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if request.path in (DISCOVERY, KEYS):
        response.headers["Cache-Control"] = "no-cache"
    else:
        response.headers["Cache-Control"] = "no-store"
    if request.path in _FOR_SCRIPTS:
        response.headers.add("Vary", "Origin")
        if is_local_origin(request.headers.get("Origin", "")):
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
    return response


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
