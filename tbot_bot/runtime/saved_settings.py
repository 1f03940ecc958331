"""Settings saved while a session runs: taken up between windows, and only when a session can open with them."""

from tbot_bot.domain.session import ARMED_STATES
from tbot_bot.runtime import compose
from tbot_bot.runtime.cadence import Turns
from tbot_bot.runtime.day import Day
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.state_file import StateFile

log = get_logger("trader")
EVERY = 2.0
"""Real seconds between two looks."""


class SavedSettings:
    """Whether a running day is to begin anew with what was saved since; an objection is told once."""

    def __init__(self, paths: Paths, state: StateFile) -> None:
        self._paths = paths
        self._state = state
        self._turns = Turns()
        self._told = ("", "")

    def to_be_adopted(self, trading: compose.Trading, day: Day) -> bool:
        saved = compose.generation(self._paths)
        if saved == trading.generation or not self._turns.due("saved", EVERY):
            return False
        if day.done is not None or not day.engine.between_windows or self._state.read() not in ARMED_STATES:
            return False
        objection = compose.objection_to_saved(trading.services)
        if objection and (saved, objection) != self._told:
            words = f"the session goes on with the earlier settings: {objection}"
            trading.services.notifier.notify("critical", "new settings not taken up", words)
        elif not objection:
            log.info("new settings are taken up", extra={"fields": {"generation": saved}})
        self._told = (saved, objection)
        return not objection
