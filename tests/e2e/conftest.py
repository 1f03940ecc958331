"""The real web and the real provisioning runner as processes over a root of their own, and a real browser on them."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tbot_bot.support.path_resolver import Paths
from tests.conftest import find_chromium

USER, PASSWORD = "alex", "four unrelated words here"
RUNNER, WEB, BACKUP = "tbot_bot.runtime.provisioning", "tbot_web.serve", "tbot_bot.runtime.backup"
ARGUMENTS = {BACKUP: ("--watch",)}
CHROMIUM_OPTIONS = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking"]


@dataclass
class Machine:
    """A root and the processes running over it."""

    root: Path
    port: int
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def paths(self) -> Paths:
        return Paths(root=self.root)

    def start(self, module: str) -> None:
        """`module` as a process of its own; the backup process stays and waits for jobs."""
        environment = {**os.environ, "TBOT_ROOT": str(self.root), "TBOT_WEB_PORT": str(self.port)}
        with (self.root / f"{module}.log").open("ab") as log:
            self.running[module] = subprocess.Popen(
                [sys.executable, "-m", module, *ARGUMENTS.get(module, ())], env=environment, stdout=log, stderr=log
            )

    def kill(self, module: str) -> None:
        process = self.running.pop(module)
        process.kill()
        process.wait()

    def wait(self) -> None:
        """Until the web answers and the runner has published the form."""
        for _ in range(400):
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=1).close()
                if self.paths.snapshot("system").exists():
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError("the web or the runner did not come up")

    def log(self, module: str) -> str:
        return (self.root / f"{module}.log").read_text()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    here = Machine(tmp_path, free_port())
    try:
        here.start(RUNNER)
        here.start(WEB)
        here.wait()
        yield here
    finally:
        for module in list(here.running):
            here.kill(module)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    executable = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, machine: Machine) -> Iterator[Page]:
    """A fresh browser profile; anything the content policy blocks or a script throws fails the test."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, base_url=machine.url)
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    yield tab
    context.close()
    assert not complaints


@pytest.fixture
def provisioned(machine: Machine, page: Page) -> Page:
    """The first run done with the defaults; the admin is logged in and on the dashboard."""
    page.goto("/")
    page.get_by_role("button", name="Save and set up").click()
    page.wait_for_url("**/register")
    register(page)
    page.get_by_role("link", name="Later", exact=True).click()
    page.wait_for_url("**/?welcome=1")
    return page


def register(page: Page) -> None:
    page.get_by_label("User name").fill(USER)
    page.get_by_label("Email").fill("alex@desk.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    page.get_by_role("button", name="Create the admin").click()


def log_in(page: Page, password: str = PASSWORD, user: str = USER) -> None:
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Log in").click()


__all__ = ["BACKUP", "PASSWORD", "RUNNER", "USER", "WEB", "Machine", "expect", "free_port", "log_in", "register"]
