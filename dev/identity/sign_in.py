"""`/authorize` with its sign-in page, and `/logout` (RFC 6749, RFC 7636, RFC 9207, OpenID Connect RP-Initiated Logout)."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, redirect, render_template, request, session
from werkzeug.wrappers import Response as AnyResponse

from dev.identity.accounts import CLIENTS, USERS, ScopeRefused, User, is_studio_address, scopes_of, user_of
from dev.identity.codes import CHALLENGE, Codes
from dev.identity.issuer import Issuer

SIGNED_IN_S = 8 * 3_600


class Unanswerable(Exception):
    """The client or its address is wrong: the browser must not be sent anywhere (RFC 6749, section 4.1.2.1)."""


class Refused(Exception):
    """An error to tell the client, at its address."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code, self.description = code, description


@dataclass(frozen=True, slots=True)
class Return:
    """Where the browser goes afterwards."""

    client_id: str
    redirect_uri: str
    state: str | None
    issuer: str

    def with_(self, **answer: str) -> AnyResponse:
        told = {**answer, "iss": self.issuer, **({} if self.state is None else {"state": self.state})}
        glue = "&" if "?" in self.redirect_uri else "?"
        return redirect(self.redirect_uri + glue + urlencode(told), 303)


def routes(issuer: Issuer, codes: Codes) -> Blueprint:
    blueprint = Blueprint("sign_in", __name__)

    @blueprint.route("/authorize", methods=["GET", "POST"])
    def authorize() -> AnyResponse:
        """GET shows the page, or answers for somebody who has signed in; the page's form posts back to its address."""
        asked = request.args.to_dict()
        back = _return_of(asked, issuer.url)
        try:
            _check(asked)
            user = _posted_user() if request.method == "POST" else _remembered_user(issuer.clock(), asked.get("prompt"))
            if user is None:
                return _page(failed=request.method == "POST")
            return _answer(issuer, codes, back, user, asked)
        except Refused as error:
            return back.with_(error=error.code, error_description=error.description)

    @blueprint.route("/logout", methods=["GET", "POST"])
    def logout() -> AnyResponse:
        session.clear()
        asked = request.values.to_dict()
        address = asked.get("post_logout_redirect_uri")
        if address is None:
            return _plain("signed_out.html", 200)
        if not is_studio_address(address):
            raise Unanswerable("The address to go to after signing out is not the Studio's.")
        state = {"state": asked["state"]} if "state" in asked else {}
        glue = "&" if "?" in address else "?"
        return redirect(address + (glue + urlencode(state) if state else ""), 303)

    @blueprint.errorhandler(Unanswerable)
    def tell(error: Unanswerable) -> Response:
        return _plain("refused.html", 400, reason=str(error))

    return blueprint


def _return_of(asked: Mapping[str, str], issuer: str) -> Return:
    if any(len(values) > 1 for _, values in request.args.lists()):
        raise Unanswerable("A parameter is given more than once.")
    client = CLIENTS.get(asked.get("client_id", ""))
    if client is None or client.secret is not None:
        raise Unanswerable("There is no client of that name that people sign in with.")
    address = asked.get("redirect_uri", "")
    if not is_studio_address(address):
        raise Unanswerable("The address to return to is not the Studio's: http://localhost:<port>/studio")
    return Return(client.id, address, asked.get("state"), issuer)


def _check(asked: Mapping[str, str]) -> None:
    """Raises Refused."""
    if asked.get("response_type") != "code":
        raise Refused("unsupported_response_type", "Only the response type `code` is supported.")
    if asked.get("response_mode", "query") != "query":
        raise Refused("invalid_request", "Only the response mode `query` is supported.")
    if asked.get("code_challenge_method") != "S256" or not CHALLENGE.fullmatch(asked.get("code_challenge", "")):
        raise Refused("invalid_request", "A PKCE challenge of the method S256 is required.")
    if asked.get("prompt", "login") not in ("none", "login"):
        raise Refused("invalid_request", "`prompt` is `none` or `login`.")
    try:
        scopes_of(asked.get("scope"), CLIENTS[asked["client_id"]].scopes)
    except ScopeRefused:
        raise Refused("invalid_scope", "A scope that was asked for does not exist.") from None


def _remembered_user(now_s: float, prompt: str | None) -> User | None:
    """Who signed in with this browser. Raises Refused where there is nobody and no page may be shown."""
    user = USERS.get(session.get("user", ""))
    if user is not None and prompt != "login" and 0 <= now_s - session.get("signed_in_s", 0) < SIGNED_IN_S:
        return user
    if prompt == "none":
        raise Refused("login_required", "Nobody has signed in.")
    return None


def _posted_user() -> User | None:
    """None for a wrong password, and for a form that did not come from our page in this browser."""
    ours, theirs = session.get("csrf"), request.form.get("csrf", "")
    if not isinstance(ours, str) or not hmac.compare_digest(ours.encode(), theirs.encode()):
        return None
    user = user_of(request.form.get("username", ""), request.form.get("password", ""))
    session.clear()  # a session from before the sign-in ends with it
    return user


def _answer(issuer: Issuer, codes: Codes, back: Return, user: User, asked: Mapping[str, str]) -> AnyResponse:
    try:
        scopes = scopes_of(asked.get("scope"), user.scopes)
    except ScopeRefused:
        raise Refused("invalid_scope", "The user lacks a scope that was asked for.") from None
    if request.method == "POST":
        session["user"], session["signed_in_s"] = user.name, int(issuer.clock())
    code = codes.issue(
        user,
        client_id=back.client_id,
        redirect_uri=back.redirect_uri,
        challenge=asked["code_challenge"],
        scopes=scopes,
        nonce=asked.get("nonce"),
        signed_in_s=session["signed_in_s"],
    )
    return back.with_(code=code)


def _page(*, failed: bool) -> Response:
    session["csrf"] = session.get("csrf") or secrets.token_urlsafe(24)
    return _plain(
        "sign_in.html",
        401 if failed else 200,
        csrf=session["csrf"],
        address=f"{request.path}?{request.query_string.decode('latin-1')}",
        failed=failed,
        username=request.form.get("username", "")[:80],
    )


def _plain(template: str, status: int, **values: object) -> Response:
    nonce = secrets.token_urlsafe(16)
    response = make_response(render_template(template, nonce=nonce, **values), status)
    # Browsers hold the redirect after the form to `form-action` as well, so the Studio's addresses stand in it.
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'; "
        "form-action 'self' http://localhost:* http://127.0.0.1:*"
    )
    response.headers["X-Frame-Options"] = "DENY"
    return response
