import os
from pathlib import Path

import pytest

from tbot_bot.domain.errors import AlreadyRunning
from tbot_bot.support.process_lock import take


def test_a_second_holder_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    first = take(tmp_path / "x.lock", "the bot")
    with pytest.raises(AlreadyRunning, match="the bot already runs"):
        take(tmp_path / "x.lock", "the bot")
    os.close(first)
    os.close(take(tmp_path / "x.lock", "the bot"))
