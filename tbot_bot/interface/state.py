"""The state word, for routing pages."""

from tbot_bot.domain.errors import StateCorrupt
from tbot_bot.domain.session import BotState
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.state_file import StateFile


def current_state(paths: Paths) -> BotState | None:
    """The present state; None when the file is missing or corrupt, which the caller must treat as an error."""
    try:
        return StateFile(paths, SystemClock()).read()
    except StateCorrupt:
        return None
