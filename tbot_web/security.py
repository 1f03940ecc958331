"""What every request and answer passes: known hosts, own origin, CSRF token, strict headers."""

import secrets
from collections.abc import Callable
from typing import cast

from flask import Flask, current_app, render_template, request
from flask.sessions import SecureCookieSessionInterface
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from tbot_web.support.utils_web import asks_for_json

LOCAL_HOSTS = ("127.0.0.1", "localhost")
MAX_BODY = 256 * 1024
FORM_LIFE_S = 12 * 3600
_REDRAWS = "tbot_redraw"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
OLD_FORM = (
    "This page was older than the web server it came from (it was restarted, or you logged in elsewhere). "
    "Nothing was sent. Check what you typed and submit again."
)


class _FormSession(SecureCookieSessionInterface):
    """Flask's session holds the CSRF token alone; its cookie is Secure exactly when the page came by https."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return bool(request.is_secure)


def protect(app: Flask, hosts: tuple[str, ...]) -> None:
    """Install all of it. The form secret lives as long as this process and is kept nowhere: the web owns no key."""
    app.config.update(
        SECRET_KEY=secrets.token_bytes(32),
        SESSION_COOKIE_NAME="tbot_form",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        TRUSTED_HOSTS=[*LOCAL_HOSTS, *hosts],
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_FORM_MEMORY_SIZE=MAX_BODY,
        WTF_CSRF_TIME_LIMIT=FORM_LIFE_S,
    )
    app.session_interface = _FormSession()
    app.extensions[_REDRAWS] = {}
    app.before_request(_own_origin)
    CSRFProtect(app)
    app.register_error_handler(CSRFError, _csrf_refused)
    app.after_request(_headers)


def redraw_when_old(app: Flask, endpoint: str, view: Callable[[str], str]) -> None:
    """Let `view(message)` show the form of `endpoint` again, as typed, when its CSRF token has gone stale."""
    app.extensions[_REDRAWS][endpoint] = view


def _own_origin() -> None:
    """A change asked for by another site's page is refused before anything reads it."""
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    origin = request.headers.get("Origin")
    foreign = origin is not None and origin.rstrip("/") != request.host_url.rstrip("/")
    if foreign or request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise BadRequest("This request came from another site's page. Nothing was changed.")


def _csrf_refused(error: CSRFError) -> tuple[str, int] | tuple[dict[str, str], int]:
    sent = bool(request.form.get("csrf_token") or request.headers.get("X-CSRFToken"))
    if asks_for_json():
        return {"code": "old_form", "message": OLD_FORM}, 400
    views = cast("dict[str, Callable[[str], str]]", current_app.extensions[_REDRAWS])
    view = views.get(request.endpoint or "")
    if sent and view is not None:
        return view(OLD_FORM), 400
    words = OLD_FORM if sent else "The form came without its security token. Nothing was changed."
    return render_template("refused.html", title="Not accepted", message=words), 400


def _headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response
