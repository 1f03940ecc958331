import threading
import time

import pytest

from tbot_bot.config.turns import Turns


def test_many_are_inside_together_and_one_alone_has_no_company() -> None:
    turns, inside, most, faults = Turns(), 0, 0, 0
    lock = threading.Lock()

    def share() -> None:
        nonlocal inside, most
        for _ in range(50):
            with turns.together():
                with lock:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.0002)
                with lock:
                    inside -= 1

    def own() -> None:
        nonlocal faults
        for _ in range(50):
            with turns.alone():
                faults += inside

    threads = [threading.Thread(target=share) for _ in range(4)] + [threading.Thread(target=own) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert not any(thread.is_alive() for thread in threads)
    assert faults == 0
    assert most > 1


def test_an_error_inside_lets_the_next_one_in() -> None:
    turns = Turns()
    for turn in (turns.together, turns.alone, turns.together, turns.alone):
        with pytest.raises(ZeroDivisionError), turn():
            1 / 0  # noqa: B018
    with turns.alone():
        pass
