"""Putting a release in place, below a folder that stands for a machine."""

import os

import pytest

from tests.unit.tools.installer.rig import UNITS, a_layout, a_release
from tools.installer import placing
from tools.installer.faults import InstallRefused
from tools.installer.layout import PACKAGE_LIB, Layout


@pytest.fixture
def layout(tmp_path):
    return a_layout(tmp_path)


def test_units_and_the_link_are_those_of_the_release(layout):
    release = a_release(layout)
    placing.place(layout, release)
    assert os.readlink(layout.current) == "releases/1.0.0+aaaaaaaa"
    unit = layout.library / "systemd/system/tbot.target"
    assert unit.read_text() == UNITS["systemd/system/tbot.target"]
    assert oct(unit.stat().st_mode & 0o7777) == "0o644"
    assert "TBOT_WEB_HOSTS" in layout.settings.read_text()


def test_units_that_the_new_release_has_not_go_and_the_admins_settings_stay(layout):
    placing.place(layout, a_release(layout, texts={**UNITS, "systemd/system/tbot-old.service": "[Service]\n"}))
    layout.settings.write_text("TBOT_PAPER_SPEED=1\n")
    placing.place(layout, a_release(layout, "1.1.0+bbbbbbbb"))
    assert not (layout.library / "systemd/system/tbot-old.service").exists()
    assert layout.settings.read_text() == "TBOT_PAPER_SPEED=1\n"
    assert placing.unit_names(layout) == ("tbot.target",)


def test_a_placement_that_was_killed_halfway_is_known_and_repaired(layout):
    release = a_release(layout, texts={**UNITS, "systemd/system/tbot-web.service": "[Service]\n"})
    placing.place(layout, release)
    layout.current.unlink()
    (layout.library / "systemd/system/tbot-web.service").unlink()
    placing.place(layout, release)
    assert layout.current.exists()
    assert (layout.library / "systemd/system/tbot-web.service").exists()


def test_an_installation_beside_a_package_is_refused(layout, tmp_path):
    placing.place(Layout(destdir=tmp_path, lib=PACKAGE_LIB), a_release(layout))
    with pytest.raises(InstallRefused, match="installed as a package"):
        placing.require_alone(layout)


def test_templates_and_drop_ins_are_not_started_or_enabled(layout):
    texts = {**UNITS, "systemd/system/tbot-alert@.service": "", "systemd/system/tbot-web.service.d/10.conf": ""}
    placing.place(layout, a_release(layout, texts=texts))
    assert placing.unit_names(layout) == ("tbot.target",)
