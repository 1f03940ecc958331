import os
from pathlib import Path

import pytest

from tbot_bot.support.flags import FlagClaimer


@pytest.mark.parametrize("kind", ["file", "folder", "full folder", "fifo", "link"])
def test_whatever_carries_a_flags_name_counts_once(tmp_path: Path, kind: str) -> None:
    flag = tmp_path / "control_kill.flag"
    if kind == "file":
        flag.write_text("x")
    elif kind == "fifo":
        os.mkfifo(flag)
    elif kind == "link":
        flag.symlink_to("/nonexistent")
    else:
        flag.mkdir()
        if kind == "full folder":
            (flag / "inside").write_text("x")
    claims = FlagClaimer(tmp_path / "private")
    assert claims.claim(flag)
    assert not claims.claim(flag)


def test_no_flag_is_no_order(tmp_path: Path) -> None:
    assert not FlagClaimer(tmp_path / "private").claim(tmp_path / "control_kill.flag")
