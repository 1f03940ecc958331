"""The Flask application: routes, protection, and the pages for what goes wrong."""

from typing import Any

from flask import Flask, render_template
from werkzeug.exceptions import HTTPException, SecurityError

from tbot_bot.interface import Clock, Paths
from tbot_bot.interface.published import Published
from tbot_bot.interface.requests import Courier
from tbot_bot.interface.sessions import Sessions
from tbot_web.py import (
    account_web,
    audit_web,
    backtests_web,
    backups_web,
    configuration_web,
    control_web,
    dashboard_web,
    home_web,
    keys_web,
    live_web,
    login_web,
    recovery_web,
    register_web,
    restore_web,
    users_web,
)
from tbot_web.security import protect, redraw_when_old
from tbot_web.services import Asker, Services, install
from tbot_web.support.ask import code_known, code_needed
from tbot_web.support.auth_web import require_login
from tbot_web.support.presence import watch_presence
from tbot_web.support.readable import FILTERS
from tbot_web.support.session_manager import current_login
from tbot_web.support.utils_web import asks_for_json, installation

MODULES = (
    home_web,
    configuration_web,
    register_web,
    login_web,
    dashboard_web,
    control_web,
    backtests_web,
    live_web,
    account_web,
    users_web,
    keys_web,
    recovery_web,
    backups_web,
    restore_web,
    audit_web,
)
TITLES = {
    400: "Not accepted",
    401: "Your login has ended",
    403: "Not allowed",
    404: "No such page",
    500: "A fault of ours",
}
TEXT = {"Content-Type": "text/plain; charset=utf-8"}
WORDS = {
    401: "Log in again; what you typed is still in the page you came from. Nothing was changed.",
    404: "Nothing lives at this address.",
    413: "That was more than a form can hold. Nothing was changed.",
    500: "The page could not be made. Trading is not affected: it runs in other processes. The log has the cause.",
}


def create_app(paths: Paths, clock: Clock, *, hosts: tuple[str, ...] = (), courier: Asker | None = None) -> Flask:
    """The web UI over the files below `paths.root`.

    `hosts`: names besides loopback under which it may be reached, e.g. behind a proxy."""
    app = Flask(__name__)
    courier = courier or Courier(paths, clock)
    install(app, Services(paths, courier, Published(paths, clock), Sessions(paths, clock), clock))
    require_login(app)
    protect(app, hosts)
    watch_presence(app)
    for module in MODULES:
        app.register_blueprint(module.pages)
    redraw_when_old(app, "configuration.submit", configuration_web.redraw)
    redraw_when_old(app, "configuration.check", configuration_web.redraw)
    redraw_when_old(app, "register.submit", register_web.redraw)
    redraw_when_old(app, "login.submit", login_web.redraw)
    redraw_when_old(app, "login.code", login_web.redraw_code)
    redraw_when_old(app, "account.change", account_web.redraw)
    redraw_when_old(app, "users.add", users_web.redraw_add)
    redraw_when_old(app, "backtests.submit", backtests_web.redraw)
    redraw_when_old(app, "control.kill", control_web.redraw_kill)
    app.register_error_handler(HTTPException, _refused)
    app.context_processor(_frame)
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.globals.update(code_needed=code_needed, code_known=code_known, my_name=_my_name)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    return app


def _frame() -> dict[str, Any]:
    """What every page's frame shows."""
    install = installation()
    return {"login": current_login(), "install": install}


def _my_name() -> str:
    """For password managers, which want to know whose password a form takes."""
    login = current_login()
    return login.user if login else ""


def _refused(error: HTTPException) -> Any:
    code = error.code or 500
    if code < 400:
        return error
    if isinstance(error, SecurityError):
        # Without a trusted host no address can be built, so there is no page around these words.
        return "This address is not one of the server's names. Nothing was changed.\n", code, TEXT
    words = WORDS.get(code) or error.description or "Nothing was changed."
    if asks_for_json():
        return {"code": str(code), "message": words}, code
    return render_template("refused.html", title=TITLES.get(code, "Not done"), message=words, code=code), code
