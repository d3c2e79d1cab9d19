"""`/token` and `/userinfo` (RFC 6749, RFC 7636, OpenID Connect Core 5.3)."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

from flask import Blueprint, Response, jsonify, request

from dev.identity.accounts import CLIENTS, USERS, Client, ScopeRefused, scopes_of
from dev.identity.codes import Codes
from dev.identity.issuer import Issuer
from dev.identity.key_file import TOKEN_LIVES_S


class OAuthError(Exception):
    """RFC 6749, section 5.2."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code, self.description, self.status = code, description, status


def routes(issuer: Issuer, codes: Codes) -> Blueprint:
    blueprint = Blueprint("token", __name__)

    @blueprint.post("/token")
    def token() -> Response:
        form = _once_each()
        client = _client_of(form)
        match form.get("grant_type"):
            case "client_credentials":
                return jsonify(_by_credentials(issuer, client, form))
            case "authorization_code":
                return jsonify(_by_code(issuer, codes, client, form))
            case None:
                raise OAuthError("invalid_request", "`grant_type` is missing.")
            case _:
                raise OAuthError(
                    "unsupported_grant_type", "Only client_credentials and authorization_code are supported."
                )

    @blueprint.route("/userinfo", methods=["GET", "POST"])
    def userinfo() -> Response:
        return _userinfo(issuer)

    @blueprint.errorhandler(OAuthError)
    def tell(error: OAuthError) -> Response:
        response = jsonify({"error": error.code, "error_description": error.description})
        response.status_code = error.status
        if error.status == 401:
            response.headers["WWW-Authenticate"] = 'Basic realm="identity"'
        return response

    return blueprint


def _once_each() -> dict[str, str]:
    form: dict[str, str] = {}
    for name, values in request.form.lists():
        if len(values) != 1:
            raise OAuthError("invalid_request", f"`{name}` is given more than once.")
        form[name] = values[0]
    return form


def _client_of(form: dict[str, str]) -> Client:
    """client_secret_basic, client_secret_post, or a public client's id alone; one of them, never two."""
    name, secret = form.get("client_id", ""), form.get("client_secret")
    if "Authorization" in request.headers:
        given = request.authorization
        if given is None or given.type != "basic":
            raise OAuthError("invalid_client", "The Authorization header is not HTTP Basic.", 401)
        if secret is not None:
            raise OAuthError("invalid_request", "The client authenticates in two ways at once.")
        basic_name, secret = unquote_plus(given.username or ""), unquote_plus(given.password or "")
        if name not in ("", basic_name):
            raise OAuthError("invalid_request", "`client_id` is another client's than the Authorization header's.")
        name = basic_name
    client = CLIENTS.get(name)
    if client is None or (client.secret is not None and not client.proves_itself(secret or "")):
        raise OAuthError("invalid_client", "There is no such client, or its secret is another.", 401)
    if client.secret is None and secret:
        raise OAuthError("invalid_client", "This client is public: it has no secret.", 401)
    return client


def _by_credentials(issuer: Issuer, client: Client, form: dict[str, str]) -> dict[str, Any]:
    if client.secret is None:
        raise OAuthError("unauthorized_client", "A public client can only be used by a person who signs in.")
    try:
        scopes = scopes_of(form.get("scope"), client.scopes)
    except ScopeRefused:
        raise OAuthError("invalid_scope", f"The client {client.id} lacks a scope that was asked for.") from None
    return _answer(issuer.access_token(client.id, client, client.merchant_id, scopes), scopes)


def _by_code(issuer: Issuer, codes: Codes, client: Client, form: dict[str, str]) -> dict[str, Any]:
    if client.secret is not None:
        raise OAuthError("unauthorized_client", "This client acts for itself: it uses client_credentials.")
    for name in ("code", "redirect_uri", "code_verifier"):
        if not form.get(name):
            raise OAuthError("invalid_request", f"`{name}` is missing.")
    grant = codes.redeem(
        form["code"], client_id=client.id, redirect_uri=form["redirect_uri"], verifier=form["code_verifier"]
    )
    if grant is None:
        raise OAuthError("invalid_grant", "The code is used, expired or unknown, or was given for other parameters.")
    token = issuer.access_token(grant.user.name, client, grant.user.merchant_id, grant.scopes)
    answer = _answer(token, grant.scopes)
    if "openid" in grant.scopes:
        answer["id_token"] = issuer.id_token(grant.user, client, grant.nonce, grant.signed_in_s)
    return answer


def _answer(token: str, scopes: tuple[str, ...]) -> dict[str, Any]:
    return {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_LIVES_S, "scope": " ".join(scopes)}


def _userinfo(issuer: Issuer) -> Response:
    """RFC 6750 says how it refuses."""
    given = request.authorization
    token = given.token if given is not None and given.type == "bearer" else None
    claims = issuer.read_access_token(token) if token else None
    if claims is None:
        return Response(status=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"' if token else "Bearer"})
    user = USERS.get(claims["sub"])
    if user is None or "openid" not in claims["scope"].split():
        return Response(status=403, headers={"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="openid"'})
    return jsonify({"sub": user.name, "name": user.full_name, "preferred_username": user.name})
