"""A flood of logins holds only some of the web's threads, whatever the runner takes for each."""

import threading
from dataclasses import dataclass, field

import pytest

from tbot_bot.interface.requests import Reply
from tbot_web.app import create_app
from tbot_web.support.session_manager import DEVICE
from tbot_web.support.turnstile import KNOWN, STRANGERS
from tests.unit.web.conftest import FakeRunner

WRONG = Reply(ok=False, code="bad_credentials", message="User name or password is wrong.")


@dataclass
class SlowRunner(FakeRunner):
    """Takes each login up and answers none until it is told to."""

    taken: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    go: threading.Event = field(default_factory=threading.Event)

    def ask(self, kind, body, *, token, ip, timeout=20.0):
        self.taken.release()
        self.go.wait(10)
        return WRONG


@pytest.fixture
def crowd(site):
    """A site whose places for strangers are all taken, and a way to log in as one more."""
    site.provisioned()
    site.runner = SlowRunner()
    site.app = create_app(site.paths, site.clock, courier=site.runner)
    statuses = []

    def attempt(device: str = "") -> None:
        browser = site.app.test_client()
        if device:
            browser.set_cookie(DEVICE, device)
        page = browser.get("/login").text
        token = page.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]
        answer = browser.post("/login", data={"csrf_token": token, "username": "eve", "password": "x"})
        statuses.append((answer.status_code, "was not looked at" in answer.text))

    def start(device: str = "") -> threading.Thread:
        thread = threading.Thread(target=attempt, args=(device,))
        thread.start()
        return thread

    waiting = [start() for _ in range(STRANGERS)]
    for _ in waiting:
        assert site.runner.taken.acquire(timeout=10)
    yield attempt, start, statuses
    site.runner.go.set()
    for thread in waiting:
        thread.join()
    assert [status for status, _ in statuses].count(401) >= STRANGERS


def test_one_login_too_many_is_turned_away_at_once_and_not_looked_at(site, crowd):
    attempt, _, statuses = crowd
    attempt()
    assert statuses == [(503, True)]
    assert not site.runner.taken.acquire(blocking=False)


def test_a_browser_with_a_device_mark_has_a_place_beside_the_strangers(site, crowd):
    attempt, start, statuses = crowd
    known = [start("device-text") for _ in range(KNOWN)]
    for _ in known:
        assert site.runner.taken.acquire(timeout=10)
    attempt("device-text")
    assert statuses == [(503, True)]
    site.runner.go.set()
    for thread in known:
        thread.join()


def test_kill_needs_no_place(site, crowd):
    site.log_in("viewer")
    site.browser = site.app.test_client()
    site.browser.set_cookie("tbot_session", "cookie-text")
    assert site.post("/kill", "/kill").status_code == 303
    assert site.paths.kill_flag.exists()


def test_places_are_given_back(site, crowd):
    attempt, _, statuses = crowd
    site.runner.go.set()
    for _ in range(100):
        attempt()
        if statuses[-1][0] == 401:
            return
    raise AssertionError("no place became free")
