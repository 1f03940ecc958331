"""Telling the runner something without waiting for what it says."""

from tbot_bot.interface.requests import Courier
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.sealing import new_private_key, write_public_key


def test_what_is_told_is_filed_and_no_answer_is_waited_for(tmp_path):
    paths = Paths(root=tmp_path)
    paths.runner_public_key.parent.mkdir(parents=True)
    write_public_key(paths.runner_public_key, new_private_key())
    Courier(paths, SystemClock()).tell("touch", {}, token="cookie", ip="127.0.0.1")
    assert len(list(paths.requests.glob("*.req"))) == 1


def test_without_a_runner_telling_does_nothing(tmp_path):
    paths = Paths(root=tmp_path)
    Courier(paths, SystemClock()).tell("touch", {}, token="cookie", ip="127.0.0.1")
    assert not paths.requests.exists()
