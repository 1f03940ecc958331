"""Registration of the first admin. The runner writes the user; this page only asks."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from tbot_web.py.login_web import back_to_login, enter
from tbot_web.services import services
from tbot_web.support.auth_web import Access, needs
from tbot_web.support.session_manager import device, token
from tbot_web.support.utils_web import client_ip, installation

pages = Blueprint("register", __name__)
TITLE = "Create the first admin"
DIFFERENT = "The two passwords differ. Nothing was saved; type both again."


@pages.get("/register")
@needs(Access.ANYONE)
def register() -> str | Response:
    install = installation()
    if install.users is not False or not install.provisioned:
        return redirect(url_for("home.home"))
    return render_template("register.html", title=TITLE, username="", email="")


@pages.post("/register")
@needs(Access.FIRST_RUN)
def submit() -> Response | tuple[str, int]:
    form = request.form
    if form.get("password") != form.get("again"):
        return redraw(DIFFERENT), 422
    body = {name: form.get(name, "") for name in ("username", "password", "email")}
    body["device"] = device()
    reply = services().courier.ask("register", body, token=token(), ip=client_ip())
    if reply.ok:
        return enter(reply, url_for("recovery.recovery", first=1), totp=False)
    if reply.code == "registered":
        return back_to_login(reply)
    return redraw(reply.message, {f["key"]: f.get("message", "") for f in reply.faults}), 422


def redraw(message: str, faults: dict[str, str] | None = None) -> str:
    """The form with the name and address as typed; passwords are never written into a page."""
    return render_template(
        "register.html",
        title=TITLE,
        username=request.form.get("username", ""),
        email=request.form.get("email", ""),
        problem=message,
        faults=faults or {},
    )
