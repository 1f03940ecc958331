"""The Debian package's scripts."""

import subprocess

import pytest

from tools.installer import owners
from tools.installer.layout import Layout
from tools.installer.package import control_files


@pytest.mark.parametrize("name", ["preinst", "postinst", "prerm", "postrm"])
def test_each_maintainer_script_is_a_shell_script_without_a_hole(name):
    text = control_files(Layout(), "3.11")[name]
    done = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert text.startswith("#!/bin/sh\nset -e\n")
    assert "{" not in text.replace("${", "")


def test_purging_takes_every_user_and_group_of_the_units():
    text = control_files(Layout(), "3.11")["postrm"]
    assert all(f" {name}" in text for name in (*owners.USERS, *owners.GROUPS))
