import argparse
import sys
import threading
from pathlib import Path

import pytest

from tbot_bot.domain.errors import TbotError
from tbot_bot.runtime.alert import _CODES, tell, unit_name, words
from tbot_bot.support.atomic_file import read_lines
from tbot_bot.support.logs import JsonFormatter, TailHandler
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.process import Process
from tbot_bot.support.sd_notify import SdNotify


def process() -> Process:
    return Process(threading.Event(), SdNotify(), TailHandler(JsonFormatter("alert")))


def test_the_failure_is_told_and_on_its_way_to_the_audit_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TBOT_ROOT", str(tmp_path))
    monkeypatch.setenv("MONITOR_SERVICE_RESULT", "watchdog")
    monkeypatch.setattr(sys, "argv", ["alert", "tbot-bot.service"])
    tell(process())
    paths = Paths(tmp_path)
    rows = read_lines(paths.alerts_log)
    assert [(row["level"], row["subject"]) for row in rows] == [("critical", "tbot-bot.service failed")]
    assert "no longer answered" in rows[0]["text"]
    assert [b"unit_failed" in path.read_bytes() for path in paths.audit_inbox.iterdir()] == [True]
    assert b"tbot-bot.service failed" in paths.snapshot("alerts").read_bytes()


def test_an_older_systemd_tells_nothing_and_the_alert_says_what_is_known() -> None:
    assert words("tbot-web.service", {})[1].startswith("it failed. Look at: journalctl -u tbot-web.service")


def test_a_killed_process_is_told_with_its_signal() -> None:
    told = {"MONITOR_SERVICE_RESULT": "signal", "MONITOR_EXIT_CODE": "killed", "MONITOR_EXIT_STATUS": "KILL"}
    assert words("tbot-bot.service", told)[1].startswith("it was killed (killed, KILL).")


def exit_codes(kind: type[TbotError]) -> set[str]:
    return {str(kind.exit_code)}.union(*(exit_codes(below) for below in kind.__subclasses__()))


def test_an_exit_code_of_ours_is_explained() -> None:
    told = {"MONITOR_SERVICE_RESULT": "exit-code", "MONITOR_EXIT_CODE": "exited", "MONITOR_EXIT_STATUS": "77"}
    text = words("tbot-provisioning.service", told)[1]
    assert text.startswith("it ended with an error (exited, 77): a key, a secret or the broker's credentials are ref")
    assert set(_CODES) <= exit_codes(TbotError)


@pytest.mark.parametrize("text", ["", "a b", "x; reboot", "../x", "a\nb"])
def test_what_is_no_name_of_a_unit_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        unit_name(text)
