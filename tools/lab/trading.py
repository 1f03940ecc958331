"""tbot installed on a lab as an admin installs it, and used as a person uses it: through the web's socket."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from tbot_bot.domain.session import ARMED_STATES
from tbot_bot.paper.store import Store
from tbot_bot.support.path_resolver import CODE_ROOT, Paths
from tools.child import Finished, run_program
from tools.day_verdict import day_faults
from tools.foreground import PAPER_PORT, WEB_PORT
from tools.installer.layout import PREFIX, STATE_DIR
from tools.lab.installed import PYTHON, build_release, other_version
from tools.lab.lab import Lab
from tools.page_client import Browser
from tools.patience import calmly, press, until

WEB, RUNNER, BOT, PAPER = "tbot-web.service", "tbot-provisioning.service", "tbot-bot.service", "tbot-paper.service"
SERVING = (PAPER, RUNNER, WEB, BOT)
"""Processes that stay."""
TARGET, SOCKET = "tbot.target", "tbot-web.socket"
PERSON = {
    "username": "admin",
    "email": "admin@example.org",
    "password": "a long enough password",
    "again": "a long enough password",
}
_INSTALL_SECONDS = 600.0


class Trees:
    """Source trees and their releases, built once for any number of labs. `folder`: on this machine."""

    def __init__(self, folder: Path, say: Callable[[str], None] = print) -> None:
        self._folder, self._say = folder, say
        self._sources: dict[str, Path] = {}

    def source(self, version: str, change: Callable[[Path], None] | None = None) -> Path:
        """A source tree of that version whose release is built. `change`: what makes it differ besides its version."""
        if version not in self._sources:
            source = other_version(CODE_ROOT, self._folder / "sources" / version, version)
            if change is not None:
                change(source)
            build_release(source, self._folder / "disk", self._say)
            self._sources[version] = source
        return self._sources[version]

    def put_on(self, lab: Lab, *versions: str) -> None:
        """Sources below /srv and their releases where the installer looks for finished ones, not yet in use."""
        for version in versions:
            source = self.source(version)
            lab.place(source, f"/srv/{version}")
        lab.place(self._folder / "disk" / str(PREFIX).lstrip("/"), str(PREFIX))


class TradingLab:
    """One lab with tbot on it. `speed`: market seconds per real second."""

    def __init__(self, folder: Path, trees: Trees, speed: int, versions: tuple[str, ...]) -> None:
        self.folder, self.versions, self._speed = folder, versions, speed
        self.lab = Lab(folder / "lab")
        trees.put_on(self.lab, *versions)
        self.lab.boot()
        self._web = self.lab.door(WEB_PORT)
        self._admin = self.lab.door(PAPER_PORT + 1)
        self.browser = self.another_browser()

    # The admin's part.

    def installer(self, command: str, version: str, *options: str) -> Finished:
        """`make COMMAND` in the source tree of that version; the words come from its Makefile's installer."""
        words = ("-m", "tools.installer", command, *options)
        return self.lab.run(PYTHON, *words, folder=f"/srv/{version}", seconds=_INSTALL_SECONDS)

    def install(self, version: str = "") -> Finished:
        settings = self.lab.path("/etc/tbot/tbot.env")
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(f"TBOT_PAPER_SPEED={self._speed}\n")
        return self.installer("install", version or self.versions[0])

    def adjust(self, unit: str, text: str) -> None:
        """A drop-in, as `systemctl edit` makes one."""
        folder = self.lab.path(f"/etc/systemd/system/{unit}.d")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "adjusted.conf").write_text(text)
        self.lab.systemctl("daemon-reload")

    @property
    def paths(self) -> Paths:
        """The state folder as this machine sees it; for looking, never for opening a database."""
        return Paths(self.lab.path(STATE_DIR))

    def copy_of_state(self, name: str) -> Paths:
        """A copy on this machine, whose databases may be opened. Only after everything stopped is it of one moment."""
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        copied = run_program(["cp", "-a", "--", str(self.lab.path(STATE_DIR)), str(target)])
        if copied.code:
            raise OSError(f"the state was not copied: {copied.last_lines}")
        return Paths(target)

    @property
    def release(self) -> str:
        """Name of the release in use."""
        return self.lab.path(f"{PREFIX}/current").readlink().name

    def state_word(self) -> str:
        return self.paths.bot_state.read_text().strip()

    def faults(self) -> tuple[str, ...]:
        """What is wrong with the days so far, asked of the files of an installation that is stopped."""
        return day_faults(self.copy_of_state("judged"))

    def fills(self) -> int:
        """At the venue, which is stopped."""
        store = Store(self.copy_of_state("counted").paper)
        try:
            return len(tuple(store.fills()))
        finally:
            store.close()

    # The person's part.

    def another_browser(self) -> Browser:
        return Browser(f"http://127.0.0.1:{self._web}")

    def admin(self, path: str, **what: object) -> None:
        """Ask the venue's own port, once it listens: a fault, the clock."""
        address = f"http://127.0.0.1:{self._admin}{path}"
        until("the venue's answer", 60, lambda: requests.post(address, json=what, timeout=10)).raise_for_status()

    def part(self, name: str) -> dict[str, Any]:
        """A published snapshot's body as the browser sees it."""
        return dict(self._snapshot(name).get("body") or {})

    def _snapshot(self, name: str) -> dict[str, Any]:
        parts = self.browser.json(f"/live.json?names={name}").get("parts")
        part = parts.get(name) if isinstance(parts, dict) else None
        return dict(part) if isinstance(part, dict) else {}

    def shows(self, path: str, action: str) -> bool:
        """Whether the page offers the form."""
        return any(form.action.endswith(action) for form in self.browser.open(path).forms)

    def set_up(self) -> None:
        """As on a first day: configured and registered; the venue's clock stands still."""
        until("the web", 60, lambda: self.browser.open("/health").status == 200)
        self.admin("/clock/pause")
        paper = {"BROKER_URL": f"http://127.0.0.1:{PAPER_PORT}"}
        press(self.browser, "/configuration", "/configuration", paper, lambda: self.shows("/register", "/register"))
        until("the registration", 60, lambda: self.shows("/register", "/register"))
        press(self.browser, "/register", "/register", PERSON, lambda: self.shows("/", "/logout"))

    def build_universe(self) -> None:
        press(self.browser, "/universe", "/universe/build", {}, lambda: bool(self.part("universe").get("built_at")))
        until("the universe", 90, lambda: self.part("universe").get("built_at"))

    def start(self) -> None:
        """Armed, and the venue's clock runs."""
        press(self.browser, "/", "/start", {}, lambda: self.armed)
        until("the armed bot", 60, lambda: self.armed)
        self.admin("/clock/run")

    def log_in(self) -> None:
        press(self.browser, "/login", "/login", PERSON, lambda: self.shows("/", "/logout"))

    @property
    def armed(self) -> bool:
        return calmly(lambda: self.browser.json("/live.json").get("state"), None) in ARMED_STATES

    def goes_on(self, seconds: float = 60.0) -> None:
        """Wait until the bot says anew that it is armed and in the session. Raises DemoFailed."""
        before = calmly(lambda: self._snapshot("status").get("written_at"), None)

        def news() -> bool:
            told = self._snapshot("status")
            body = told.get("body") or {}
            return told.get("written_at") not in (None, before) and bool(body.get("windows")) and self.armed

        until("the session's going on", seconds, news)

    def wait_until_up(self, seconds: float = 60.0) -> None:
        until("everything up", seconds, lambda: all(self.lab.state(unit) == "active" for unit in SERVING))

    def wait_until_down(self, seconds: float = 60.0) -> None:
        until("everything down", seconds, lambda: all(self.lab.state(unit) == "inactive" for unit in SERVING))

    @property
    def positions(self) -> int:
        """As the page shows them."""
        rows = calmly(lambda: self.part("positions").get("rows"), None)
        return len(rows) if isinstance(rows, list) else 0

    def wait_for_position(self, seconds: float = 120.0) -> None:
        until("a position", seconds, lambda: self.positions > 0)

    def down(self) -> None:
        self.browser.__exit__()
        self.lab.down()
