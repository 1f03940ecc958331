"""The dashboard, the halted page and the universe: frames that the live script fills."""

from flask import Blueprint, render_template, request

from tbot_bot.domain.session import CLOSING_STATES, BotState
from tbot_web.services import services
from tbot_web.support.auth_web import Access, needs

pages = Blueprint("dashboard", __name__)
STARTABLE = frozenset({BotState.IDLE, BotState.SHUTDOWN, BotState.SHUTDOWN_TRIGGERED, BotState.ERROR})

HALTED: dict[BotState | None, tuple[str, str, str]] = {
    BotState.GRACEFUL_CLOSING: (
        "Closing positions",
        "Stop was asked for. No new position is opened; the open ones are being sold in good order.",
        "Wait until it is idle. Kill sells everything at once.",
    ),
    BotState.EMERGENCY_CLOSING: (
        "Emergency: selling everything",
        "The kill switch fired. Working orders are being cancelled and every position sold at the market.",
        "Watch the positions reach zero. If they do not, close them at the broker's own site.",
    ),
    BotState.SHUTDOWN_TRIGGERED: (
        "Stopped by the kill switch",
        "Every position was closed and nothing trades. The table below should be empty.",
        "Find the cause below. A loss limit that tripped holds for the rest of the session, even after Start.",
    ),
    BotState.SHUTDOWN: (
        "Shut down",
        "The bot's service was stopped. Nothing is entered; positions left open keep their stops at the broker.",
        "Start the service again: it goes on where it was. Until then Kill waits; the broker's own site does not.",
    ),
    BotState.ERROR: (
        "Halted by an error",
        "New entries are blocked because something could not be trusted. Exits of open positions still work.",
        "Read the cause and the log below, correct it, then start again.",
    ),
    None: (
        "The state is unknown",
        "The state file is missing or damaged, so new entries are blocked. Open positions keep their stops.",
        "Compare control/bot_state.txt with control/state_log.jsonl, or restart the provisioning runner.",
    ),
}


def dashboard(state: BotState) -> str:
    return render_template(
        "main.html",
        title="Today",
        state=state,
        startable=state in STARTABLE,
        welcome=request.args.get("welcome") == "1",
        saved=request.args.get("saved") == "1",
    )


def halted(state: BotState | None) -> str:
    """Why nothing trades and what to do; kill, positions and log stay at hand."""
    heading, cause, step = HALTED[state]
    return render_template(
        "halted.html",
        title=heading,
        state=state,
        heading=heading,
        cause=cause,
        step=step,
        closing=state in CLOSING_STATES,
        startable=state in STARTABLE,
    )


@pages.get("/universe")
@needs(Access.VIEWER)
def universe() -> str:
    return render_template("universe.html", title="Universe", state=services().state())
