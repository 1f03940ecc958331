"""What the system tests share: a demo with a script of kills, and waiting for its end."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tbot_bot.domain.session import ARMED_STATES
from tbot_bot.paper.store import Store
from tbot_bot.support.path_resolver import Paths
from tools.child import children, end, start_python
from tools.day_verdict import day_faults
from tools.demo_process import DemoProcess, Killed
from tools.foreground import free_port, free_port_pair
from tools.killers import Killer, Moment, Strike
from tools.page_client import Browser
from tools.patience import calmly, press, until

LONGEST_SECONDS = 240.0


@dataclass
class FinishedDay:
    """A demo that is over."""

    demo: DemoProcess
    code: int | None
    killed: list[Killed]
    faults: tuple[str, ...]

    def of(self, unit: str) -> list[Killed]:
        return [each for each in self.killed if each.unit == unit]

    @property
    def fills(self) -> int:
        """At the venue."""
        store = Store(self.demo.paths.paper)
        try:
            return len(tuple(store.fills()))
        finally:
            store.close()

    @property
    def terminal(self) -> str:
        return self.demo.terminal.read_text()


class KilledDay:
    """A demo under way beside its killer."""

    def __init__(
        self, folder: Path, speed: int, moments: tuple[Moment, ...] = (), after_intents: tuple[Strike, ...] = ()
    ) -> None:
        self._demo = DemoProcess(folder, speed)
        self._demo.start()
        self._killer = Killer(self._demo, moments, after_intents)
        self._killer.start()

    def finish(self) -> FinishedDay:
        code = self._demo.wait(LONGEST_SECONDS)
        self._demo.end()
        self._killer.join(30)
        return FinishedDay(self._demo, code, self._killer.killed, day_faults(self._demo.paths))


class LiveBot:
    """`make run` on a root and ports of its own."""

    def __init__(self, folder: Path, speed: int, paper: int | None = None) -> None:
        """`paper`: the venue's port, for one that is started again on the same root."""
        self.paths = Paths((folder / "root").resolve())
        self.terminal = folder / "terminal.txt"
        self.paper = paper or free_port_pair()
        web = free_port()
        self.browser = Browser(f"http://127.0.0.1:{web}")
        variables = {
            "TBOT_ROOT": str(self.paths.root),
            "TBOT_WEB_PORT": str(web),
            "TBOT_PAPER_PORT": str(self.paper),
            "TBOT_PAPER_SPEED": str(speed),
        }
        self._process = start_python(["-m", "tools.foreground"], self.terminal, variables)

    @property
    def pids(self) -> tuple[int, ...]:
        """supervisord and all that it runs."""
        return self._process.pid, *children(self._process.pid)

    def admin(self, path: str, **what: object) -> None:
        """Ask the venue's own port, once it listens: a fault, the clock."""
        address = f"http://127.0.0.1:{self.paper + 1}{path}"
        until("the venue's answer", 30, lambda: requests.post(address, json=what, timeout=10)).raise_for_status()

    def part(self, name: str) -> dict[str, Any]:
        """A published snapshot's body as the browser sees it."""
        parts = self.browser.json(f"/live.json?names={name}").get("parts")
        part = parts.get(name) if isinstance(parts, dict) else None
        return dict(part["body"]) if isinstance(part, dict) else {}

    def shows(self, path: str, action: str) -> bool:
        """Whether the page offers the form."""
        return any(form.action.endswith(action) for form in self.browser.open(path).forms)

    def set_up(self, person: dict[str, str]) -> None:
        """As on a first day: configured, registered, a universe built; the venue's clock stands still."""
        browser = self.browser
        until("the web", 60, lambda: browser.open("/health").status == 200)
        self.admin("/clock/pause")
        paper = {"BROKER_URL": f"http://127.0.0.1:{self.paper}"}
        press(browser, "/configuration", "/configuration", paper, lambda: self.shows("/register", "/register"))
        until("the registration", 60, lambda: self.shows("/register", "/register"))
        press(browser, "/register", "/register", person, lambda: self.shows("/", "/logout"))
        press(browser, "/universe", "/universe/build", {}, lambda: bool(self.part("universe").get("built_at")))
        until("the universe", 60, lambda: self.part("universe").get("built_at"))

    def start(self) -> None:
        """Armed, and the venue's clock runs."""
        press(self.browser, "/", "/start", {}, lambda: self.armed)
        until("the armed bot", 30, lambda: self.armed)
        self.admin("/clock/run")

    @property
    def armed(self) -> bool:
        return calmly(lambda: self.browser.json("/live.json").get("state"), None) in ARMED_STATES

    def stop(self) -> None:
        end(self._process)
