"""What the service manager's stop and start do to the state word: a stop is `shutdown`, a start goes on from there.

Who stops the service takes nothing back that was decided in the pages: an armed bot is armed again when it is started,
also after a reboot or an upgrade; one that was idle, or was flattened by the stop (SERVICE_STOP), is idle."""

import time
from collections.abc import Callable

from tbot_bot.domain.errors import StateCorrupt, TbotError
from tbot_bot.domain.session import ARMED_STATES, BotState
from tbot_bot.runtime.cadence import Turns
from tbot_bot.support.logs import get_logger
from tbot_bot.support.sd_notify import SdNotify
from tbot_bot.support.state_file import StateFile

SERVICE = "service"
KEPT = "the service was stopped; positions and their orders were kept, and it goes on when it is started again"
STOPPED = "the service was stopped; nothing was under way"
UNFINISHED = "the service was stopped before every position was closed"
AGAIN = "the service was started again"
STEP = 30.0
"""Real seconds that each turn of a stop asks the service manager for."""
_PAUSE = 0.05

_log = get_logger("trader")


def leave(state: StateFile) -> None:
    """Put the stop into the state word. Closing, a kill and an error stay what they are: a start goes on with them."""
    try:
        now = state.read()
        if now in ARMED_STATES:
            state.move(now, BotState.SHUTDOWN, SERVICE, KEPT)
        elif now is BotState.IDLE:
            state.move(now, BotState.SHUTDOWN, SERVICE, STOPPED)
    except (StateCorrupt, OSError) as error:
        # Then the state says what it said, and a start goes on as after a crash.
        _log.error("the stop is not in the state word", extra={"fields": {"why": str(error)}})


def close_first(
    notify: SdNotify,
    seconds: float,
    *,
    ask: Callable[[], None],
    turn: Callable[[], None],
    closed: Callable[[], bool],
) -> bool:
    """`ask` once for everything to be closed, then `turn` until it is; False when `seconds` ended first. Trouble on the
    way is tried again."""
    _log.warning("the service stops; positions are closed first")
    deadline, turns, asked = time.monotonic() + seconds, Turns(), False
    while time.monotonic() < deadline:
        notify.beat()
        if turns.due("extend", 1.0):
            notify.extend(STEP)
        try:
            if not asked:
                ask()
                asked = True
            if closed():
                return True
            turn()
        except (TbotError, OSError) as error:
            _log.error("closing goes on", extra={"fields": {"why": str(error)}})
            time.sleep(_PAUSE)
    return False


def keep_closing(state: StateFile) -> None:
    """What was to be closed and is not yet: the next start goes on with that, and with nothing else."""
    try:
        now = state.read()
        if now in ARMED_STATES:
            state.move(now, BotState.GRACEFUL_CLOSING, SERVICE, UNFINISHED)
    except (StateCorrupt, OSError) as error:
        _log.error("that closing goes on is not in the state word", extra={"fields": {"why": str(error)}})


def come_back(state: StateFile) -> None:
    """Where a stop of the service left off. Raises StateCorrupt and OSError as state files do."""
    if not state.exists() or state.read() is not BotState.SHUTDOWN:
        return
    last = state.last_move()
    if last.get("by") == SERVICE and last.get("to") == BotState.SHUTDOWN:
        to = BotState.ANALYZING if last.get("from") in ARMED_STATES else BotState.IDLE
        state.move(BotState.SHUTDOWN, to, SERVICE, AGAIN)
