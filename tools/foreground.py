"""Runs all of tbot's processes in the foreground under supervisor, with the same files as under systemd.

`python -m tools.foreground` is `make run`; with --demo one session is driven headless in a folder of its own and the
exit code is the driver's verdict."""

import argparse
import getpass
import os
import re
import shutil
import socket
import sys
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from supervisor import supervisord

from tbot_bot.domain.errors import AlreadyRunning, TbotError
from tbot_bot.paper.__main__ import settings_from
from tbot_bot.paper.settings import MAX_SPEED
from tbot_bot.paper.venue import first_session
from tbot_bot.support.atomic_file import ensure_folder, write_bytes
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import CODE_ROOT, ROOT_VARIABLE, Paths, root_from_environment
from tbot_bot.support.process_lock import take
from tools.migration.__main__ import forward
from tools.migration.layout_version import LAYOUT
from tools.migration.record import read_record

DEFAULT_SPEED = "52"
DEMO_SPEED = "450"
WEB_PORT, PAPER_PORT = 8080, 8090


@dataclass(frozen=True, slots=True)
class Program:
    """One supervised process; lower priority starts first and stops last. `patience`: seconds its stop may take."""

    name: str
    module: str
    priority: int
    once: bool = False
    options: tuple[str, ...] = ()
    patience: int = 15


def programs(paper_options: tuple[str, ...], extra: Program) -> tuple[Program, ...]:
    """Every process of tbot, in start order."""
    return (
        Program("paper", "tbot_bot.paper", 10, options=paper_options),
        Program("provisioning", "tbot_bot.runtime.provisioning", 20),
        Program("web", "tbot_web.serve", 30),
        Program("bot", "tbot_bot.runtime.trader", 40, patience=120),
        Program("universe", "tbot_bot.runtime.universe", 50, options=("--watch",)),
        Program("backtest", "tbot_bot.backtest", 60, options=("--watch",)),
        Program("backup", "tbot_bot.runtime.backup", 70, options=("--watch",)),
        extra,
    )


def section(program: Program, logs: Path) -> str:
    """supervisord's section for one program. `once` programs speak to the terminal, the others to log files."""
    command = " ".join([sys.executable, "-m", program.module, *program.options])
    where = "/dev/fd/1" if program.once else str(logs / f"{program.name}.log")
    return "\n".join(
        (
            f"[program:{program.name}]",
            f"command={command}",
            f"directory={CODE_ROOT}",
            f"priority={program.priority}",
            f"autorestart={'false' if program.once else 'true'}",
            f"startsecs={0 if program.once else 1}",
            "startretries=1000",
            f"stopwaitsecs={program.patience}",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile={where}",
            f"stdout_logfile_maxbytes={0 if program.once else 10_000_000}",
            "stdout_logfile_backups=3",
            "",
        )
    )


def supervisor_config(root: Path, supervised: tuple[Program, ...]) -> str:
    """A whole supervisord.conf; state and logs below `root`/output."""
    folder = root / "output" / "supervisor"
    logs = root / "output" / "logs"
    head = "\n".join(
        (
            "[supervisord]",
            "nodaemon=true",
            f"user={getpass.getuser()}",
            f"logfile={folder / 'supervisord.log'}",
            f"pidfile={folder / 'supervisord.pid'}",
            f"childlogdir={folder}",
            "loglevel=warn",
            "silent=true",
            "umask=077",
            "",
        )
    )
    return head + "\n" + "\n".join(section(program, logs) for program in supervised)


def require_free(port: int, what: str) -> None:
    """Exit with words when something listens on the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            sys.exit(f"Port {port} ({what}) is in use. Stop the other program, or set TBOT_WEB_PORT / TBOT_PAPER_PORT.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_from_environment(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not 1024 <= int(text) <= 65535:
        sys.exit(f"{variable} must be a port number from 1024 to 65535, not {text!r}.")
    return int(text)


def speed_from_environment() -> str:
    """TBOT_PAPER_SPEED as the venue takes it. A venue that refuses its options would only be seen in its log."""
    text = os.environ.get("TBOT_PAPER_SPEED", "") or DEFAULT_SPEED
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text) or not 0 < Decimal(text) <= MAX_SPEED:
        sys.exit(
            f"TBOT_PAPER_SPEED must be a number above 0 and at most {MAX_SPEED}, such as {DEFAULT_SPEED}, not {text!r}."
        )
    return text


def take_lock(root: Path) -> int:
    """One foreground run per state root; a second one is told so."""
    ensure_folder(root / "control", 0o755)
    try:
        return take(root / "control" / ".run.lock", f"tbot ({root})")
    except AlreadyRunning as error:
        sys.exit(str(error))


def supervise(root: Path, supervised: tuple[Program, ...]) -> None:
    """Run supervisord in this process until a signal stops it and all its children."""
    folder = root / "output" / "supervisor"
    ensure_folder(folder)
    ensure_folder(root / "output" / "logs")
    config = folder / "supervisord.conf"
    write_bytes(config, supervisor_config(root, supervised).encode())
    supervisord.main(["-c", str(config)])


def bring_up_to_date(root: Path) -> None:
    """State that an earlier release left here gets this one's layout, as an upgrade does for an installation."""
    paths = Paths(root)
    try:
        if paths.generations.exists() and read_record(paths).layout < LAYOUT:
            forward(paths, SystemClock())
    except TbotError as error:
        sys.exit(str(error))


def run_live(root: Path) -> int:
    """`make run`: everything on the root's state, the address printed by the announcer once the pages answer."""
    web, paper = port_from_environment("TBOT_WEB_PORT", WEB_PORT), port_from_environment("TBOT_PAPER_PORT", PAPER_PORT)
    speed = speed_from_environment()
    lock = take_lock(root)
    require_free(web, "web UI")
    require_free(paper, "paper venue")
    require_free(paper + 1, "paper venue's admin port")
    os.environ.update({ROOT_VARIABLE: str(root), "TBOT_WEB_PORT": str(web), "TBOT_PAPER_PORT": str(paper)})
    bring_up_to_date(root)
    supervise(root, programs(("--speed", speed), Program("announce", "tools.announce", 90, once=True)))
    os.close(lock)
    return 0


def demo_root(root: Path, given: str | None) -> Path:
    """The demo's own root: output/demo, made anew, or the folder that --root names, which must be empty."""
    if given is None:
        demo = root / "output" / "demo"
        if demo.exists():
            shutil.rmtree(demo)
        return demo
    demo = Path(given).resolve()
    if demo.exists() and (not demo.is_dir() or any(demo.iterdir())):
        sys.exit(f"--root {given}: the demo needs a folder that is empty or does not exist yet.")
    return demo


def run_demo(root: Path, arguments: argparse.Namespace) -> int:
    """`make demo`: a fresh root, free ports, and the driver's verdict as exit code."""
    demo = demo_root(root, arguments.root)
    lock = take_lock(demo)
    paper = free_port_pair()
    os.environ.update({ROOT_VARIABLE: str(demo), "TBOT_WEB_PORT": str(free_port()), "TBOT_PAPER_PORT": str(paper)})
    options: tuple[str, ...] = ("--speed", arguments.speed, "--seed", str(arguments.seed), "--hold")
    driver: tuple[str, ...] = ()
    if arguments.data:
        options += ("--replay", str(Path(arguments.data).resolve()))
        driver = ("--replay",)
    if arguments.date:
        options += ("--session", arguments.date.isoformat())
    try:
        print(f"demo: session {first_session(settings_from(list(options)))}", flush=True)
    except TbotError as error:
        sys.exit(f"demo: {error}")
    verdict = Paths(demo).output / "verdict"
    supervise(demo, programs(options, Program("driver", "tools.demo", 90, once=True, options=driver)))
    os.close(lock)
    return int(verdict.read_text()) if verdict.exists() else 1


def free_port_pair() -> int:
    """A free port whose successor is free too (the paper venue's admin port)."""
    while True:
        port = free_port()
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def main() -> int:
    parser = argparse.ArgumentParser(prog="make run / make demo")
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--data", help="Parquet file of minute bars to replay")
    parser.add_argument("--root", help="folder for the demo's state instead of output/demo; must be empty")
    parser.add_argument("--date", type=date.fromisoformat, help="session, YYYY-MM-DD")
    parser.add_argument("--seed", type=int, default=7, help="seed of the synthetic market")
    parser.add_argument("--speed", default=DEMO_SPEED, help="market seconds per real second")
    arguments = parser.parse_args()
    os.umask(0o077)
    root = root_from_environment()
    return run_demo(root, arguments) if arguments.demo else run_live(root)


if __name__ == "__main__":
    sys.exit(main())
