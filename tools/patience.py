"""How the demo's driver behaves when a process behind the page is just being restarted: it waits and presses again."""

import time
from collections.abc import Callable
from typing import TypeVar

import requests

from tools.page_client import Browser, Page

T = TypeVar("T")

PRESS_AGAIN = frozenset({400, 401, 409, 503})
"""After these a person looks at the page and presses again: an old form, a lost login, a busy or silent runner."""
PRESS_SECONDS = 60.0
PAUSE = 0.1


class DemoFailed(Exception):
    """A step did not come to what it should; the message is for the person at the terminal."""


def say(text: str) -> None:
    print(f"demo: {text}", flush=True)


def calmly(ask: Callable[[], T], otherwise: T) -> T:
    """The answer, or `otherwise` while the web is down."""
    try:
        return ask()
    except requests.RequestException:
        return otherwise


def until(what: str, seconds: float, act: Callable[[], T | None]) -> T:
    """The first truthy answer of `act`, asked again for so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = calmly(act, None)
        if answer:
            return answer
        time.sleep(PAUSE)
    raise DemoFailed(f"{what} did not happen within {seconds:.0f} s")


def press(browser: Browser, path: str, action: str, typed: dict[str, str], done: Callable[[], bool]) -> Page | None:
    """Open `path`, fill in the form of `action` and send it, again until it was taken or `done` says that it is done.

    The page that came back; None when it was done without pressing (an earlier press had worked, its answer was lost).
    Raises DemoFailed with the page's words when it is refused for good."""
    deadline = time.monotonic() + PRESS_SECONDS
    words = "the page never had its form"
    while time.monotonic() < deadline:
        try:
            if done():
                return None
            page = browser.open(path)
            form = page.form(action)
            answer = browser.send(page, form, typed)
        except (requests.RequestException, LookupError) as error:
            words = str(error)
            time.sleep(PAUSE)
            continue
        if answer.status < 400:
            return answer
        words = answer.text[:500]
        if answer.status not in PRESS_AGAIN:
            break
        say(f"{action} was not taken ({answer.status}); pressing again")
        time.sleep(PAUSE * 5)
    raise DemoFailed(f"{action} was refused: {words}")
