"""The Debian package: the same release, its units in /usr/lib, and maintainer scripts that call this installer."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tools.child import run_program
from tools.installer import environment, files, owners, placing
from tools.installer.faults import InstallRefused
from tools.installer.layout import PACKAGE_LIB, PACKAGED, Layout
from tools.installer.release import MakeEnvironment, Release, Say, build
from tools.installer.source import version_of

_MAINTAINER = "tbot <tbot@localhost>"
_CONTROL = """\
Package: tbot
Version: {version}
Architecture: {architecture}
Maintainer: {maintainer}
Section: misc
Priority: optional
Installed-Size: {kilobytes}
Depends: python{python}, systemd (>= 249), passwd
Recommends: chrony | systemd-timesyncd | time-daemon
Description: self-hosted intraday trading bot for US equities
 Trades the open, midday and the close on an embedded paper exchange, or through a broker. Runs as several hardened
 systemd services under users of their own; the pages are on http://127.0.0.1:8080.
"""
_INSTALLER = "PYTHONDONTWRITEBYTECODE=1 /usr/bin/python{python} -m tools.installer"
_PREINST = """\
#!/bin/sh
set -e
if [ -e /usr/local/lib/systemd/system/tbot.target ]; then
  echo "tbot was installed by make install: run make uninstall in its checkout first; the state stays." >&2
  exit 1
fi
if [ "$1" = upgrade ] && [ -d {prefix}/current ]; then
  cd {prefix}/current
  {installer} backup --package ${{TBOT_WITHOUT_BACKUP:+--without-backup}}
fi
"""
_POSTINST = """\
#!/bin/sh
set -e
if [ "$1" = configure ]; then
  cd {prefix}/{packaged}
  {installer} configure --package
fi
"""
_PRERM = """\
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d {prefix}/current ]; then
  cd {prefix}/current
  {installer} leave --package
fi
"""
_POSTRM = """\
#!/bin/sh
set -e
if [ "$1" = remove ] || [ "$1" = purge ]; then
  rm -rf {prefix}/releases {prefix}/current
  rm -f {prefix}/installed.json {prefix}/upgrade.json {prefix}/.install.lock
  rmdir {prefix} 2>/dev/null || true
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl reset-failed 'tbot-*' tbot.target 2>/dev/null || true
  fi
fi
if [ "$1" = purge ]; then
  rm -rf {state_dir} /etc/tbot /etc/systemd/system/tbot*.d
  rm -f /var/lib/systemd/timers/stamp-tbot-*.timer
  for name in {users}; do
    if getent passwd "$name" >/dev/null; then userdel "$name" 2>/dev/null; fi
  done
  for name in {groups}; do
    if getent group "$name" >/dev/null; then groupdel "$name"; fi
  done
fi
"""
_SCRIPTS = {"preinst": _PREINST, "postinst": _POSTINST, "prerm": _PRERM, "postrm": _POSTRM}


def make_package(
    source: Path, python: str, revision: str, say: Say, make_environment: MakeEnvironment = environment.make
) -> Path:
    """dist/tbot_VERSION-REVISION_ARCHITECTURE.deb. Raises InstallRefused."""
    if shutil.which("dpkg-deb") is None:
        raise InstallRefused("dpkg-deb is not on this machine: build the package on Debian or Ubuntu.")
    tree = source / "dist" / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    layout = Layout(destdir=tree, lib=PACKAGE_LIB)
    release = build(layout, source, python, say, make_environment)
    _arrange(layout, release)
    version = f"{version_of(source)}-{revision}"
    _write_control(layout, release, version)
    package = source / "dist" / f"tbot_{version}_{_architecture()}.deb"
    say(f"packing {package.name}")
    done = run_program(["dpkg-deb", "--root-owner-group", "-Zzstd", "-z1", "--build", str(tree), str(package)])
    if done.code:
        raise InstallRefused(f"dpkg-deb failed:\n{done.last_lines}")
    shutil.rmtree(tree)
    return package


def control_files(layout: Layout, python: str) -> Mapping[str, str]:
    """The maintainer scripts, by name."""
    words = {
        "prefix": layout.prefix,
        "state_dir": layout.state_dir,
        "packaged": PACKAGED,
        "installer": _INSTALLER.format(python=python),
        "users": " ".join(owners.USERS),
        "groups": " ".join(owners.GROUPS),
    }
    return {name: text.format(**words) for name, text in _SCRIPTS.items()}


def _arrange(layout: Layout, release: Release) -> None:
    """The release where the package keeps it, from where the installer takes it over; units and settings beside."""
    for name, text in placing.texts_of(layout, release).items():
        files.put_text(layout.library / name, text)
    files.put_text(layout.settings, placing.SETTINGS)
    release.folder(layout).rename(layout.home / PACKAGED)
    layout.releases.rmdir()


def _write_control(layout: Layout, release: Release, version: str) -> None:
    kilobytes = sum(path.lstat().st_size for path in files.walk(layout.destdir) if not path.is_dir()) // 1024
    control = layout.destdir / "DEBIAN"
    facts = _CONTROL.format(
        version=version,
        architecture=_architecture(),
        maintainer=os.environ.get("DEBEMAIL", _MAINTAINER),
        kilobytes=kilobytes,
        python=release.python,
    )
    files.put_text(control / "control", facts)
    files.put_text(control / "conffiles", f"/{layout.settings.relative_to(layout.destdir)}\n")
    for name, text in control_files(layout, release.python).items():
        files.put_text(control / name, text, files.PROGRAM)


def _architecture() -> str:
    return run_program(["dpkg", "--print-architecture"]).output.strip()
