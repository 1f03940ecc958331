"""What our processes tell the service manager, as a real systemd takes it."""

from collections.abc import Iterator

import pytest

from tests.conftest import REPOSITORY, lacking
from tools.lab.lab import Lab, missing
from tools.patience import until

pytestmark = [pytest.mark.root, pytest.mark.systemd]

BEGINNING = """
import signal, sys, time
sys.path.insert(0, "/opt/spoken")
from tbot_bot.support.sd_notify import SdNotify
notify = SdNotify()
def beating(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        notify.beat()
        time.sleep(0.05)
"""
PATIENT_THEN_HANGING = """
with notify.patient(10):
    time.sleep(1.5)
notify.ready()
notify.status("a long step")
with notify.patient(10):
    time.sleep(2)
beating(1.2)
notify.status("hangs now")
notify.beat()
time.sleep(60)
"""
SLOW_TO_STOP = """
def stop(*_):
    notify.stopping()
    for _ in range(8):
        notify.extend(1)
        time.sleep(0.25)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
notify.ready()
beating(60)
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if missing():
        lacking(missing())
    folder = tmp_path_factory.mktemp("notify")
    lab = Lab(folder / "lab")
    try:
        lab.place(REPOSITORY / "tbot_bot", "/opt/spoken/tbot_bot")
        lab.boot()
        yield lab
    finally:
        lab.down()


def start(lab: Lab, name: str, script: str, *properties: str) -> None:
    """A unit that runs `script` with the system's interpreter; returns when it is ready."""
    lab.path(f"/opt/spoken/{name}.py").write_text(BEGINNING + script)
    wanted = [f"--property={text}" for text in ("Type=notify", "NotifyAccess=main", *properties)]
    done = lab.run("systemd-run", f"--unit={name}", *wanted, "/usr/bin/python3", f"/opt/spoken/{name}.py")
    assert done.code == 0, done.last_lines


def test_a_long_step_outlives_the_watchdog_and_a_hang_does_not(lab: Lab) -> None:
    start(lab, "patient", PATIENT_THEN_HANGING, "WatchdogSec=700ms", "TimeoutStartSec=1s")
    until("the end of the long step", 10, lambda: lab.property_of("patient", "StatusText") == "hangs now")
    assert lab.state("patient") == "active"
    until("the watchdog", 10, lambda: lab.property_of("patient", "Result") == "watchdog")


def test_a_stop_has_the_time_that_it_asks_for(lab: Lab) -> None:
    start(lab, "slow", SLOW_TO_STOP, "TimeoutStopSec=1s", "RemainAfterExit=yes")
    assert lab.systemctl("stop", "slow").code == 0
    rows = [row["MESSAGE"] for row in lab.journal("slow.service")]
    assert not [text for text in rows if "timed out" in text]
    assert any("Deactivated successfully" in text for text in rows), rows
