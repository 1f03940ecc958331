"""The virtual environment of a release: from the system's Python and the hash-locked requirements, compiled."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from tools.child import run_program
from tools.installer.faults import InstallRefused

REQUIREMENTS = "requirements/base.txt"
OLDEST = (3, 11)
_BUILD_ONLY = ("pip", "setuptools")
_SECONDS = 1800.0
_KEPT_PROGRAMS = re.compile(r"python(3(\.\d+)?)?")


def version_of(python: str) -> str:
    """Such as 3.11. Raises InstallRefused when it is none that tbot runs on."""
    words = "import sys; print(f'{sys.version_info[0]}.{sys.version_info[1]}')"
    try:
        said = run_program([python, "-I", "-c", words])
    except OSError as error:
        raise InstallRefused(f"{python} cannot be run: {error.strerror}.") from error
    text = said.output.strip()
    if said.code or tuple(int(part) for part in text.split(".")) < OLDEST:
        raise InstallRefused(f"{python} is Python {text}; 3.11 or newer is needed (apt-get install python3.11-venv).")
    return text


def make(release: Path, python: str, final: Path, say: Callable[[str], None]) -> None:
    """`release`/venv, which will be used as `final`/venv. Raises InstallRefused when pip cannot do it."""
    folder = release / "venv"
    made = run_program([python, "-I", "-m", "venv", str(folder)])
    if made.code:
        version = version_of(python)
        raise InstallRefused(
            f"{python} could not make an environment:\n{made.last_lines}\n"
            f"Install its package first: apt-get install python{version}-venv (Fedora: dnf install python3)."
        )
    inside = str(folder / "bin" / "python")
    say("installing the locked requirements")
    locked = ("--require-hashes", "-r", str(release / REQUIREMENTS))
    _pip(inside, "install", "--no-compile", "--only-binary", ":all:", *locked)
    _pip(inside, "uninstall", "--yes", *_BUILD_ONLY)
    _strip(folder, final / "venv", python)
    compile_below(release, release, final)


def _pip(python: str, *words: str) -> None:
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    command, *rest = words
    done = run_program([python, "-m", "pip", command, *quiet, "--root-user-action=ignore", *rest], seconds=_SECONDS)
    if done.code:
        raise InstallRefused(
            f"pip could not {command} the requirements:\n{done.last_lines}\n"
            "They come from the package index that pip is set up for. Without a way there, set PIP_INDEX_URL to a "
            "mirror, or PIP_NO_INDEX=1 and PIP_FIND_LINKS to a folder of wheels, and run this again. "
            "What is installed was not changed."
        )


def _strip(folder: Path, final: Path, python: str) -> None:
    """Programs that nothing of ours runs go; what names the place of building names the final one."""
    for path in (folder / "bin").iterdir():
        if not _KEPT_PROGRAMS.fullmatch(path.name):
            path.unlink()
    (folder / "pyvenv.cfg").write_text(_relocated((folder / "pyvenv.cfg").read_text(), final, python))


def _relocated(text: str, final: Path, python: str) -> str:
    return re.sub(r"(?m)^command = .*$", f"command = {python} -m venv {final}", text)


def compile_below(folder: Path, release: Path, final: Path) -> None:
    """Tracebacks name the final place. Services cannot write there, so everything is compiled now."""
    for cache in folder.rglob("__pycache__"):
        shutil.rmtree(cache)
    moved = ["-s", str(release), "-p", str(final)]
    inside = str(release / "venv" / "bin" / "python")
    done = run_program([inside, "-I", "-m", "compileall", "-q", "-j", "0", *moved, str(folder)], seconds=_SECONDS)
    if done.code:
        raise InstallRefused(f"The code could not be compiled:\n{done.last_lines}")
