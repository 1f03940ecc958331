"""What our processes log, read back from a real journald."""

from collections.abc import Iterator

import pytest

from tests.conftest import REPOSITORY, lacking
from tools.lab.lab import Lab, missing

pytestmark = [pytest.mark.root, pytest.mark.systemd]

SPEAKER = """
import logging, sys
sys.path.insert(0, "/opt/spoken")
from tbot_bot.support import logs
logs.configure("bot")
logs.add_secret("s3cr3t-of-the-bot")
log = logs.get_logger("x")
log.info("audit head", extra={"fields": {"seq": 7, "hash": "ab" * 32}})
log.error("waiting", extra={"fields": {"why": "two\\nlines s3cr3t-of-the-bot"}})
log.warning("large", extra={"fields": {"text": "x" * 500_000}})
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """In which a unit has run SPEAKER with the system's interpreter."""
    if missing():
        lacking(missing())
    folder = tmp_path_factory.mktemp("journal")
    (folder / "speaker.py").write_text(SPEAKER)
    lab = Lab(folder / "lab")
    try:
        lab.place(REPOSITORY / "tbot_bot", "/opt/spoken/tbot_bot")
        lab.place(folder / "speaker.py", "/opt/spoken/speaker.py")
        lab.boot()
        done = lab.run("systemd-run", "--wait", "--unit=speaker", "/usr/bin/python3", "/opt/spoken/speaker.py")
        assert done.code == 0, (done.output, lab.journal("speaker"))
        lab.run("journalctl", "--sync")
        yield lab
    finally:
        lab.down()


def of_ours(lab: Lab, *more: str) -> list[dict[str, str]]:
    return [row for row in lab.journal("speaker", *more) if row.get("TBOT_UNIT")]


def test_fields_levels_and_the_unit_are_the_journals_own(lab: Lab) -> None:
    rows = of_ours(lab)
    assert [row["PRIORITY"] for row in rows] == ["6", "3", "4"]
    assert {row["_SYSTEMD_UNIT"] for row in rows} == {"speaker.service"}
    assert {row["SYSLOG_IDENTIFIER"] for row in rows} == {"tbot-bot"}
    assert (rows[0]["TBOT_SEQ"], rows[0]["TBOT_HASH"]) == ("7", "ab" * 32)
    assert rows[1]["TBOT_WHY"] == "two\nlines [redacted]"


def test_an_entry_too_large_for_a_datagram_arrives_whole(lab: Lab) -> None:
    assert of_ours(lab)[2]["TBOT_TEXT"] == "x" * 500_000


def test_errors_alone_can_be_asked_for(lab: Lab) -> None:
    assert [row["MESSAGE"] for row in of_ours(lab, "-p", "err")] == ["waiting why=two\nlines [redacted]"]
