import time

from tbot_bot.support.uptime import uptime


def test_the_uptime_goes_on_and_its_boot_stays() -> None:
    first = uptime()
    time.sleep(0.01)
    second = uptime()

    assert first.boot
    assert first.boot == second.boot
    assert second.seconds > first.seconds
