"""Where an installation may lie."""

from pathlib import Path

import pytest

from tools.installer.faults import InstallRefused
from tools.installer.layout import Layout


@pytest.mark.parametrize("prefix", ["opt/tbot", "/", "/opt/t bot", "/opt/../etc", "/opt/tbot%i", "/opt/tbot\n"])
def test_a_prefix_that_a_unit_file_would_read_otherwise_is_refused(prefix):
    with pytest.raises(InstallRefused, match="PREFIX must be an absolute path"):
        Layout(prefix=Path(prefix))


def test_code_and_state_in_one_another_are_refused():
    with pytest.raises(InstallRefused, match="must not lie in one another"):
        Layout(prefix=Path("/srv/tbot"), state_dir=Path("/srv/tbot/state"))


def test_below_a_destdir_the_paths_are_those_of_the_installed_machine_moved_there(tmp_path):
    layout = Layout(destdir=tmp_path)
    assert layout.staged
    assert layout.current == tmp_path / "opt/tbot/current"
    assert layout.settings == tmp_path / "etc/tbot/tbot.env"
