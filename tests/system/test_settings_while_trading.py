"""Settings saved while the session runs: kept from the windows under way, taken up between them, the day goes on."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.system.harness import LiveBot
from tools.patience import calmly, press, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PERSON = {"username": "trader-jo", "email": "jo@example.org", "password": "a battery of horses", "again": ""}
PERSON["again"] = PERSON["password"]
SLACK = timedelta(minutes=5)


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[LiveBot]:
    running = LiveBot(tmp_path, speed=300)
    yield running
    running.stop()


def status(bot: LiveBot) -> dict[str, Any]:
    return calmly(lambda: bot.part("status"), {})


def most_trades(body: dict[str, Any]) -> set[int]:
    return {int(window["max_trades"]) for window in body.get("windows", ())}


def test_settings_saved_while_armed_are_taken_up_between_windows(bot: LiveBot) -> None:
    bot.set_up(PERSON)
    bot.start()
    until("the session", 90, lambda: most_trades(status(bot)) == {4})
    fewer = {"MAX_TRADES": "2", "WEIGHTS": "0.5,0.3"}

    saved = press(bot.browser, "/configuration", "/configuration", fewer, lambda: False)

    assert saved is not None
    seen: list[tuple[datetime, set[int]]] = []

    def adopted() -> bool:
        body = status(bot)
        if most_trades(body):
            seen.append((datetime.fromisoformat(body["market_now"]), most_trades(body)))
        return most_trades(body) == {2}

    until("the new settings", 120, adopted)
    until("the windows once more", 30, lambda: status(bot).get("windows"))
    taken_up = next(at for at, most in seen if most == {2})
    windows = [(datetime.fromisoformat(w["start"]), w) for w in status(bot)["windows"]]
    # What is published is up to half a second old, which is minutes of this market.
    under_way = [w for start, w in windows if start + SLACK < taken_up < datetime.fromisoformat(w["breakout_end"])]
    assert under_way == []
    assert all(most in ({4}, {2}) for _, most in seen)
    assert bot.armed
