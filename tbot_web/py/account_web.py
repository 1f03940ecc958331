"""One's own account: name, address, password, authenticator app, and where one is logged in."""

from typing import Any

import segno
from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from tbot_web.py.login_web import back_to_login, enter, renew
from tbot_web.services import services
from tbot_web.support.ask import (
    NOTHING,
    READ_SECONDS,
    Told,
    ask,
    code_needed,
    proof,
    refusal,
    remember_code,
    rows,
    status_of,
    texts,
)
from tbot_web.support.auth_web import Access, needs
from tbot_web.support.session_manager import drop_cookie
from tbot_web.support.utils_web import plain

pages = Blueprint("account", __name__)
TITLE = "Your account"
DIFFERENT = "The two new passwords differ. Nothing was saved; type both again."
DONE = {
    "changed": "Saved. Every other login of yours has ended.",
    "totp_removed": "The authenticator app is removed. Your password alone logs you in now.",
    "ended": "That login has ended.",
    "others_ended": "All your other logins have ended.",
}


@pages.get("/account")
@needs(Access.VIEWER)
def account() -> tuple[str, int]:
    return _page(Told(notice=DONE.get(request.args.get("done", ""), "")))


@pages.post("/account")
@needs(Access.VIEWER)
def change() -> Response | tuple[str, int]:
    form = request.form
    if form.get("new_password", "") != form.get("again", ""):
        return _page(Told("change", faults={"again": DIFFERENT}), 422)
    body = {name: form.get(name, "") for name in ("username", "email", "new_password")}
    reply = ask("change_account", {**body, **proof()})
    if reply.ok:
        return enter(reply, url_for("account.account", done="changed"), totp=code_needed())
    if reply.code == "changed":
        return back_to_login(reply)
    return _page(refusal("change", reply, ("username", "email", "new_password")), status_of(reply))


@pages.post("/account/totp")
@needs(Access.VIEWER)
def begin_totp() -> str | tuple[str, int]:
    reply = ask("totp_begin", proof())
    if not reply.ok:
        return _page(refusal("totp", reply), status_of(reply))
    secret, uri = plain(reply.body.get("secret")), plain(reply.body.get("uri"))
    return _enrolment(secret=secret, picture=segno.make(uri, error="m").svg_data_uri(scale=5, border=3, light="#fff"))


@pages.post("/account/totp/confirm")
@needs(Access.VIEWER)
def confirm_totp() -> Response | tuple[str, int] | str:
    """The recovery codes are in this one answer and nowhere else, also where the new login failed."""
    reply = ask("totp_confirm", {"code": request.form.get("code", "").replace(" ", "")})
    ended = reply.code == "changed"
    if not reply.ok and not ended:
        return _enrolment(told=refusal("confirm", reply, ("code",))), status_of(reply)
    remember_code(True)
    codes = texts(reply.body, "recovery_codes")
    page = render_template("recovery_codes.html", **_frame(codes=codes, ended=reply.message if ended else ""))
    response = Response(page, content_type="text/html; charset=utf-8")
    if ended:
        drop_cookie(response)
    else:
        renew(response, reply)
    return response


@pages.post("/account/totp/remove")
@needs(Access.VIEWER)
def remove_totp() -> Response | tuple[str, int]:
    reply = ask("totp_remove", proof())
    if reply.code == "changed":
        return back_to_login(reply)
    if not reply.ok:
        return _page(refusal("totp", reply), status_of(reply))
    remember_code(False)
    response = redirect(url_for("account.account", done="totp_removed"), 303)
    renew(response, reply)
    return response


@pages.post("/account/logins/end")
@needs(Access.VIEWER)
def end_login() -> Response | tuple[str, int]:
    """`id` names one login; "others" means all but this one."""
    which = request.form.get("id", "")
    reply = ask("end_login", {"id": which})
    if not reply.ok:
        return _page(refusal("logins", reply), status_of(reply))
    return redirect(url_for("account.account", done="others_ended" if which == "others" else "ended"), 303)


def redraw(message: str) -> str:
    """The page with what was typed and `message` on top."""
    return _page(Told("change", message))[0]


def _page(told: Told = NOTHING, status: int = 200) -> tuple[str, int]:
    reply = ask("account", timeout=READ_SECONDS)
    mine = reply.body
    if isinstance(mine.get("totp"), bool):
        remember_code(bool(mine["totp"]))
    typed = request.form if told.form == "change" else {}
    page = render_template(
        "account.html",
        **_frame(
            told=told,
            silent="" if reply.ok else reply.message,
            mine=mine,
            logins=rows(mine, "logins"),
            username=typed.get("username", plain(mine.get("user"))),
            email=typed.get("email", plain(mine.get("email"))),
        ),
    )
    return page, status if reply.ok else status_of(reply)


def _enrolment(*, secret: str = "", picture: str = "", told: Told = NOTHING) -> str:
    groups = [secret[i : i + 4] for i in range(0, len(secret), 4)]
    return render_template("totp.html", **_frame(secret=" ".join(groups), picture=picture, told=told))


def _frame(**more: Any) -> dict[str, Any]:
    return {"title": TITLE, "state": services().state(), **more}
