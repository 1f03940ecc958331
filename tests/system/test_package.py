"""The Debian package on a real dpkg and a real systemd: installs, starts, upgrades, goes back, purges cleanly."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tbot_bot.support.path_resolver import CODE_ROOT
from tests.conftest import lacking
from tools.child import Finished
from tools.installer import owners
from tools.installer.package import make_package
from tools.lab.installed import PYTHON, kept_environment, other_version, python_missing
from tools.lab.lab import Lab, missing
from tools.lab.trading import RUNNER, SOCKET, TARGET

pytestmark = [
    pytest.mark.root,
    pytest.mark.systemd,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

LEFTOVERS = "find /etc /opt /usr/lib /usr/local /var /run -name '*tbot*' -not -path '*/dpkg/*' -not -name 'srv*'"


def breaks_the_runner(source: Path) -> None:
    entry = source / "tbot_bot/runtime/provisioning.py"
    entry.write_text(entry.read_text().replace("\nimport ", '\nraise SystemExit("broken")\nimport ', 1))


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By version: 1.0.0 as it is, 1.1.0, and 1.2.0 which can neither start its runner nor migrate."""
    if missing() or python_missing():
        lacking(missing() or python_missing())
    folder = tmp_path_factory.mktemp("packages")
    made = {}
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        source = other_version(CODE_ROOT, folder / version, version)
        if version == "1.2.0":
            breaks_the_runner(source)
        made[version] = make_package(source, str(Path(PYTHON).resolve()), "1", print, kept_environment)
    return made


@pytest.fixture
def lab(tmp_path: Path, packages: dict[str, Path]) -> Iterator[Lab]:
    lab = Lab(tmp_path / "lab")
    try:
        for package in packages.values():
            lab.place(package, f"/srv/{package.name}")
        lab.boot()
        # Of container images; it forbids packages to start anything.
        lab.run("rm", "-f", "/usr/sbin/policy-rc.d")
        yield lab
    finally:
        lab.down()


def dpkg(lab: Lab, *words: str) -> Finished:
    return lab.run("dpkg", *words, seconds=300)


def status(lab: Lab) -> str:
    said = lab.run("dpkg-query", "-W", "-f=${db:Status-Abbrev}${Version}", "tbot").output.strip()
    return " ".join(said.split())


def test_the_package_installs_starts_upgrades_goes_back_and_purges(lab: Lab, packages: dict[str, Path]) -> None:
    at = {version: f"/srv/{package.name}" for version, package in packages.items()}

    first = dpkg(lab, "-i", at["1.0.0"])
    assert first.code == 0, first.output
    assert status(lab) == "ii 1.0.0-1"
    assert {unit: lab.state(unit) for unit in (TARGET, SOCKET, RUNNER)} == dict.fromkeys(
        (TARGET, SOCKET, RUNNER), "active"
    )
    assert lab.run("curl", "-sS", "http://127.0.0.1:8080/health").output == "ok\n"
    assert dpkg(lab, "--verify", "tbot").output == ""

    before = lab.pid(RUNNER)
    second = dpkg(lab, "-i", at["1.1.0"])
    assert second.code == 0, second.output
    assert "1.1.0+" in lab.run("readlink", "/opt/tbot/current").output
    assert lab.pid(RUNNER) not in {0, before}

    third = dpkg(lab, "-i", at["1.2.0"])
    assert third.code != 0
    assert re.search(r"1\.2\.0\S* is not in use: .* 1\.1\.0\S* runs again", third.output), third.output
    assert "1.1.0+" in lab.run("readlink", "/opt/tbot/current").output
    assert {unit: lab.state(unit) for unit in (TARGET, RUNNER)} == dict.fromkeys((TARGET, RUNNER), "active")

    again = dpkg(lab, "-i", at["1.1.0"])
    assert (again.code, status(lab)) == (0, "ii 1.1.0-1"), again.output

    lab.run("sh", "-c", "echo TBOT_PAPER_SPEED=1 >> /etc/tbot/tbot.env")
    assert dpkg(lab, "-r", "tbot").code == 0
    assert lab.run("ls", "-A", "/opt").output.find("tbot") == -1
    assert lab.path("/var/lib/tbot/layout.json").exists()
    assert "TBOT_PAPER_SPEED=1" in lab.path("/etc/tbot/tbot.env").read_text()

    assert dpkg(lab, "-P", "tbot").code == 0
    assert lab.run("sh", "-c", LEFTOVERS).output == ""
    known = lab.run("sh", "-c", "getent passwd; getent group").output
    assert [name for name in owners.GROUPS if f"{name}:" in known] == []
    assert "tbot" not in lab.systemctl("list-units", "--all", "--no-legend", "tbot*").output


def test_a_package_beside_an_installation_by_make_is_refused_before_anything_is_unpacked(
    lab: Lab, packages: dict[str, Path]
) -> None:
    lab.run("mkdir", "-p", "/usr/local/lib/systemd/system")
    lab.run("touch", "/usr/local/lib/systemd/system/tbot.target")

    refused = dpkg(lab, "-i", f"/srv/{packages['1.0.0'].name}")

    assert refused.code != 0
    assert "make uninstall" in refused.output
    assert not lab.path("/opt/tbot").exists()
