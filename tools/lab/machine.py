"""What a lab sees as its machine: this one's files under an overlay, and kernel interfaces of its own.

Runs in the lab's first process, in its own namespaces; nothing of the machine outside is written."""

import os
import secrets
import shutil
import uuid
from pathlib import Path

from tools.lab.cgroups import Groups
from tools.lab.kernel import become_root_folder, bind, drop_dangerous_capabilities, mount, name_host

HOST_NAME = "tbot-lab"
_CGROUPS = Path("/sys/fs/cgroup")
_UNITS = Path("/etc/systemd/system")
_MASKED = """
systemd-sysctl.service systemd-modules-load.service systemd-binfmt.service
 proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount dev-hugepages.mount
 sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount
 kmod-static-nodes.service systemd-tmpfiles-setup-dev.service systemd-tmpfiles-clean.timer
 systemd-random-seed.service systemd-pcrphase.service systemd-pcrphase-sysinit.service
 systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service
 systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-logind.service
 systemd-firstboot.service systemd-repart.service systemd-machine-id-commit.service
 systemd-journald-audit.socket systemd-initctl.socket systemd-ask-password-console.path
 systemd-ask-password-wall.path getty.target getty-static.service console-getty.service
 systemd-hwdb-update.service systemd-timesyncd.service systemd-networkd.service systemd-resolved.service
 cryptsetup.target integritysetup.target veritysetup.target remote-cryptsetup.target
"""
"""The distribution's units that would act on the kernel, or only cost time."""
_GENERATORS = ("/lib/systemd/system-generators", "/usr/local/lib/systemd/system-generators")
_TMPFILES = """[Service]
ExecStart=
ExecStart=systemd-tmpfiles --create --boot --exclude-prefix=/dev
"""
_JOURNAL = """[Journal]
Storage=persistent
RateLimitIntervalSec=0
ReadKMsg=no
Audit=no
ForwardToSyslog=no
ForwardToConsole=no
ForwardToWall=no
SyncIntervalSec=1s
"""
_DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
_DEVICE_LINKS = (
    ("ptmx", "pts/ptmx"),
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
)


class Machine:
    """`disk`: a folder that outlives a boot and takes every write. `console`: a pty's path."""

    def __init__(self, disk: Path, groups: Groups, console: str) -> None:
        self._disk, self._groups, self._console = disk, groups, console
        self._root = disk / "root"

    def enter(self) -> None:
        """Build it and make it the root of this process."""
        mount(None, Path("/"), None, "rec private")
        first = not (self._disk / "upper" / "etc" / "machine-id").exists()
        for name in ("upper", "work", "root"):
            (self._disk / name).mkdir(parents=True, exist_ok=True)
        places = f"lowerdir=/,upperdir={self._disk}/upper,workdir={self._disk}/work"
        mount("lab", self._root, "overlay", "", places)
        self._configure(first)
        self._mount_kernel()
        self._make_devices()
        self._mount_run()
        become_root_folder(self._root)
        mount(None, Path("/"), None, "rec shared")
        name_host(HOST_NAME)
        drop_dangerous_capabilities()

    def _here(self, path: str | Path) -> Path:
        return self._root / str(path).lstrip("/")

    def _write(self, path: str | Path, text: str, mode: int = 0o644) -> None:
        place = self._here(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def _mask(self, path: str | Path) -> None:
        place = self._here(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(place):
            place.symlink_to("/dev/null")

    def _configure(self, first: bool) -> None:
        if first:
            shutil.rmtree(self._here(_UNITS), ignore_errors=True)
            shutil.rmtree(self._here("/var/log/journal"), ignore_errors=True)
            self._here("/var/log/journal").mkdir(parents=True)
            self._here("/etc/machine-id").unlink(missing_ok=True)
            self._write("/etc/machine-id", secrets.token_hex(16) + "\n", 0o444)
            self._write("/etc/fstab", "")
            self._write("/etc/hostname", HOST_NAME + "\n")
            # Only what creates: the stock unit also empties /tmp, where the tested code may lie.
            self._write(_UNITS / "systemd-tmpfiles-setup.service.d" / "lab.conf", _TMPFILES)
            self._write("/etc/systemd/journald.conf.d/lab.conf", _JOURNAL)
        for folder in _GENERATORS:
            place = self._here(folder)
            for name in os.listdir(place) if place.is_dir() else ():
                self._mask(f"/etc/systemd/system-generators/{name}")
        for unit in _MASKED.split():
            self._mask(_UNITS / unit)

    def _mount_kernel(self) -> None:
        mount("proc", self._here("/proc"), "proc", "nosuid nodev noexec")
        for name in ("sys", "sysrq-trigger", "irq", "bus"):
            place = self._here(f"/proc/{name}")
            if place.exists():
                bind(place, place)
        network = self._here("/proc/sys/net")
        bind(network, network, writable=True)
        mount(None, network, None, "bind remount")
        mount("sysfs", self._here("/sys"), "sysfs", "nosuid nodev noexec")
        if self._groups.hybrid:
            mount("tmpfs", self._here(_CGROUPS), "tmpfs", "nosuid nodev noexec", "mode=755,size=4m")
        for group in self._groups.groups:
            place = self._here(group.mounted)
            place.mkdir(parents=True, exist_ok=True)
            mount("cgroup", place, group.kind, "nosuid nodev noexec", group.options)
        if self._groups.hybrid:
            mount(None, self._here(_CGROUPS), None, "bind remount ro nosuid nodev noexec")
        mount(None, self._here("/sys"), None, "bind remount ro nosuid nodev noexec")

    def _make_devices(self) -> None:
        top = self._here("/dev")
        mount("tmpfs", top, "tmpfs", "nosuid", "mode=755,size=4m")
        before = os.umask(0)
        for name, major, minor in _DEVICES:
            os.mknod(top / name, 0o20666, os.makedev(major, minor))
        os.umask(before)
        for name in ("pts", "shm", "mqueue"):
            (top / name).mkdir()
        mount("devpts", top / "pts", "devpts", "nosuid noexec", "newinstance,ptmxmode=0666,mode=620,gid=5")
        mount("tmpfs", top / "shm", "tmpfs", "nosuid nodev", "mode=1777")
        for name, target in _DEVICE_LINKS:
            (top / name).symlink_to(target)
        (top / "console").touch()
        bind(Path(self._console), top / "console", writable=True)

    def _mount_run(self) -> None:
        mount("tmpfs", self._here("/run"), "tmpfs", "nosuid nodev", "mode=755")
        for name in ("lock", "host", "systemd/system"):
            self._here(f"/run/{name}").mkdir(parents=True)
        self._write("/run/host/container-manager", "tbot-lab\n")
        # A boot id of its own, or the journal would not tell boots apart.
        self._write("/run/host/boot_id", f"{uuid.uuid4()}\n", 0o444)
        bind(self._here("/run/host/boot_id"), self._here("/proc/sys/kernel/random/boot_id"))
