"""The real web and the real provisioning runner as processes over a root of their own, and a real browser on them."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Cookie, Page, expect, sync_playwright

from tbot_bot.support.path_resolver import Paths
from tests.conftest import find_chromium

# On a busy machine a page takes its time; what never comes still fails.
expect.set_options(timeout=15_000)
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


@contextmanager
def machine_on(root: Path) -> Iterator[Machine]:
    here = Machine(root, free_port())
    try:
        here.start(RUNNER)
        here.start(WEB)
        here.wait()
        yield here
    finally:
        for module in list(here.running):
            here.kill(module)


@pytest.fixture
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """Nothing provisioned; for tests that ask for `provisioned`, a copy of the installation whose first run is done."""
    if "provisioned" in request.fixturenames:
        done: FirstRun = request.getfixturevalue("first_run")
        shutil.copytree(done.root, tmp_path, symlinks=True, dirs_exist_ok=True)
    with machine_on(tmp_path) as here:
        yield here


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


@dataclass(frozen=True)
class FirstRun:
    """An installation set up with the defaults, at rest, and the cookies of its admin."""

    root: Path
    cookies: list[Cookie]


@pytest.fixture(scope="session")
def first_run(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    """Done once in the browser and copied for each test: what the first run itself does is tested on its own."""
    root = tmp_path_factory.mktemp("first-run")
    with machine_on(root) as here:
        context = chromium.new_context(base_url=here.url)
        page = context.new_page()
        page.goto("/")
        page.get_by_role("button", name="Save and set up").click()
        page.wait_for_url("**/register")
        register(page)
        page.get_by_role("link", name="Later", exact=True).click()
        page.wait_for_url("**/?welcome=1")
        cookies = context.cookies()
        context.close()
    return FirstRun(root, cookies)


@pytest.fixture
def provisioned(machine: Machine, page: Page, first_run: FirstRun) -> Page:
    """The first run done with the defaults; the admin is logged in and on the dashboard."""
    page.context.add_cookies(
        [{"name": each["name"], "value": each["value"], "url": machine.url} for each in first_run.cookies]
    )
    page.goto("/?welcome=1")
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
