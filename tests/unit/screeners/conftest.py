import pytest

from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.domain.settings import BotSettings


@pytest.fixture
def settings() -> BotSettings:
    """The defaults: caps 2–10 billion, prices 5–100, volume from a million."""
    parsed = parse({}, "v1.0.0")
    assert isinstance(parsed, ParsedConfig)
    return parsed.bot
