"""`/`: the one address that leads to whatever the bot's state calls for."""

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response

from tbot_bot.domain.session import HALTED_STATES, BotState
from tbot_web.py.dashboard_web import dashboard, halted
from tbot_web.services import services
from tbot_web.support.ask import learn_code
from tbot_web.support.auth_web import Access, needs
from tbot_web.support.session_manager import current_login
from tbot_web.support.utils_web import installation, setting_up

pages = Blueprint("home", __name__)


@pages.get("/")
@needs(Access.ANYONE)
def home() -> Response | str | tuple[str, int]:
    install, state = installation(), services().state()
    login = current_login()
    if install.users is None and login is None:
        return waiting()
    if not install.users and login is None:
        return redirect(url_for(_first_run_page(state, install.provisioned)))
    if login is None:
        return redirect(url_for("login.login"))
    if setting_up(state, install):
        return redirect(url_for("configuration.progress"))
    learn_code()
    if state is None or state in HALTED_STATES:
        return halted(state)
    return dashboard(state)


@pages.get("/health")
@needs(Access.ANYONE)
def health() -> str:
    """For start scripts and monitors: this process answers. It says nothing of the others."""
    return "ok\n"


def waiting() -> tuple[str, int]:
    """The runner has said nothing yet; the page tries again by itself."""
    return render_template("waiting.html", title="Waiting for the provisioning runner"), 503


def _first_run_page(state: BotState | None, provisioned: bool | None) -> str:
    if state in {BotState.PROVISIONING, BotState.BOOTSTRAPPING}:
        return "configuration.progress"
    return "register.register" if provisioned else "configuration.configuration"
