"""kill -9 of each process at random moments of whole days: they come back, and the day is as if nothing had happened.

Two days run side by side: in one every process but the bot dies, the venue also while orders are on their way to it; in
the other the bot dies again and again, often within milliseconds of having written down an order. The seed is printed;
TBOT_KILL_SEED repeats it."""

import os
import random
import secrets
from pathlib import Path

import pytest

from tests.system.harness import FinishedDay, KilledDay
from tools.killers import Moment, Strike, random_moments

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SERVANTS = ("paper", "provisioning", "web", "universe", "backtest")
SPEED, BOT_DAY_SPEED = 450, 200
INTENT_KILLS = 4
VENUE_STRIKES = 2
SETUP = (1.0, 7.0)
DAY = (8.0, 45.0)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> tuple[FinishedDay, FinishedDay]:
    """(servants' day, bot's day)."""
    seed = int(os.environ.get("TBOT_KILL_SEED") or secrets.randbelow(1_000_000))
    print(f"TBOT_KILL_SEED={seed}")
    dice = random.Random(seed)
    folder: Path = tmp_path_factory.mktemp("kills")
    once_more = dice.choice(SERVANTS)
    moments = (*random_moments(dice, SERVANTS, *DAY), *random_moments(dice, (once_more,), *SETUP))
    venue = tuple(Strike("paper", dice.uniform(0, 0.03)) for _ in range(VENUE_STRIKES))
    servants = KilledDay(folder / "servants", SPEED, tuple(sorted(moments, key=lambda moment: moment.at)), venue)
    # The first one late enough to leave a position behind, the others before or while the order is sent.
    pauses = (dice.uniform(0.3, 0.8), *(dice.choice((0.0, dice.uniform(0, 0.03))) for _ in range(INTENT_KILLS - 1)))
    times = tuple(Moment(dice.uniform(first, first + 10), "bot") for first in (3, 40, 70, 95))
    bot = KilledDay(folder / "bot", BOT_DAY_SPEED, times, tuple(Strike("bot", pause) for pause in pauses))
    found = servants.finish(), bot.finish()
    for day in found:
        print(*day.killed, sep="\n")
    return found


@pytest.mark.parametrize("unit", SERVANTS)
def test_a_killed_process_is_restarted(days: tuple[FinishedDay, FinishedDay], unit: str) -> None:
    killed = days[0].of(unit)

    assert killed
    assert all(each.restarted_after is not None for each in killed), killed


def test_the_day_on_which_every_servant_died_is_good(days: tuple[FinishedDay, FinishedDay]) -> None:
    day = days[0]

    assert day.faults == ()
    assert day.code == 0, day.terminal[-3000:]


def test_the_bot_dies_at_least_five_times_and_comes_back(days: tuple[FinishedDay, FinishedDay]) -> None:
    killed = days[1].of("bot")

    assert len(killed) >= 5, days[1].terminal[-3000:]
    assert all(each.restarted_after is not None for each in killed[:-1]), killed
    assert sum("intent" in each.why for each in killed) >= 2


def test_the_day_on_which_the_bot_kept_dying_is_good(days: tuple[FinishedDay, FinishedDay]) -> None:
    day = days[1]

    assert day.fills > 0
    assert day.faults == ()
    assert day.code == 0, day.terminal[-3000:]
