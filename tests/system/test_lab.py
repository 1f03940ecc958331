"""The private machine that the systemd tests run on: a real systemd, and no trace of it outside."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import lacking
from tools.child import end, start_python
from tools.lab.kernel import alive
from tools.lab.lab import Lab, missing
from tools.patience import until

pytestmark = [pytest.mark.root, pytest.mark.systemd]

ECHO = """[Service]
StandardInput=socket
ExecStart=/bin/cat
"""
LISTENER = """[Socket]
ListenStream=127.0.0.1:8080
Accept=yes
"""
OWNER = """
import sys, time
from pathlib import Path
from tools.lab.lab import Lab
lab = Lab(Path(sys.argv[1]))
lab.boot()
Path(sys.argv[1], "init").write_text(str(lab.init))
time.sleep(600)
"""


def groups_of(lab: Lab) -> list[Path]:
    return list(Path("/sys/fs/cgroup").glob(f"**/tbotlab-{lab.keeper}-*"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if missing():
        lacking(missing())
    lab = Lab(tmp_path_factory.mktemp("lab"))
    try:
        lab.boot()
        yield lab
    finally:
        lab.down()


def test_its_first_process_is_a_running_systemd(lab: Lab) -> None:
    assert lab.systemctl("is-system-running").output.strip() == "running"
    assert lab.run("cat", "/proc/1/comm").output.strip() == "systemd"


def test_what_it_writes_is_not_on_this_machine(lab: Lab) -> None:
    assert lab.run("touch", "/etc/written-in-a-lab").code == 0

    assert lab.path("/etc/written-in-a-lab").exists()
    assert not Path("/etc/written-in-a-lab").exists()


def test_it_cannot_write_the_kernels_settings(lab: Lab) -> None:
    assert lab.run("sh", "-c", "echo 1 > /proc/sys/kernel/printk").code != 0
    assert lab.run("sh", "-c", "echo b > /proc/sysrq-trigger").code != 0


def test_a_socket_of_its_own_network_is_reached_through_a_door(lab: Lab) -> None:
    units = lab.path("/run/systemd/system")
    (units / "echo.socket").write_text(LISTENER)
    (units / "echo@.service").write_text(ECHO)
    lab.systemctl("daemon-reload")
    assert lab.systemctl("start", "echo.socket").code == 0

    with socket.create_connection(("127.0.0.1", lab.door(8080)), 10) as outside:
        outside.sendall(b"hello")
        assert outside.recv(16) == b"hello"


@pytest.mark.parametrize("power_cut", [False, True])
def test_a_reboot_keeps_the_disk_and_is_another_boot(lab: Lab, power_cut: bool) -> None:
    lab.run("sh", "-c", "echo kept > /var/kept; sync")
    boot = lab.run("cat", "/proc/sys/kernel/random/boot_id").output

    lab.reboot(power_cut=power_cut)

    assert lab.run("cat", "/var/kept").output == "kept\n"
    assert lab.run("cat", "/proc/sys/kernel/random/boot_id").output != boot


def test_its_path_cannot_be_taken_for_this_machines_while_it_is_off(tmp_path: Path) -> None:
    off = Lab(tmp_path / "off")
    try:
        with pytest.raises(OSError, match="off"):
            _ = off.root
    finally:
        off.down()


def test_nothing_is_left_of_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "gone")
    lab.boot()
    init = lab.init
    assert groups_of(lab)

    lab.down()

    assert not alive(init)
    assert groups_of(lab) == []
    assert not (tmp_path / "gone" / "disk").exists()


def test_it_ends_with_the_process_that_owns_it(tmp_path: Path) -> None:
    if missing():
        lacking(missing())
    folder = tmp_path / "orphan"
    owner = start_python(["-c", OWNER, str(folder)], tmp_path / "owner.txt")
    try:
        told = until("the lab", 60, lambda: (folder / "init").exists() and (folder / "init").read_text())
        os.kill(owner.pid, signal.SIGKILL)
        until("its end", 30, lambda: not alive(int(told)))
    finally:
        end(owner)
