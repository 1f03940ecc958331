"""Drives one whole trading day through the web's own pages, then reports it and judges it.

Started by `python -m tools.foreground --demo` beside the real processes; its verdict becomes the exit code."""

import argparse
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import requests

from tbot_bot.accounting.store import LedgerStore
from tbot_bot.broker.gateway import open_broker
from tbot_bot.config.security_bot import open_secrets
from tbot_bot.domain.orders import FINAL_STATUSES, OrderStatus
from tbot_bot.reporting.daily_report import render_report
from tbot_bot.runtime.journal import read_journal
from tbot_bot.support.atomic_file import write_bytes
from tbot_bot.support.clock import FollowedClock
from tbot_bot.support.path_resolver import Paths, root_from_environment
from tools.page_client import Browser, Page

DAY_SECONDS = 240.0
REPLAY_VALUES = {
    # Recorded files tell neither company data nor a long history, and hold large companies.
    "ENABLE_FUNNHUB_FUNDAMENTALS_FILTER": "false",
    "MARKET_CAP_MISSING_ALLOWED": "true",
    "MIN_VOLUME_THRESHOLD": "0",
    "MIN_PRICE": "1",
    "MAX_PRICE": "5000",
}


class DemoFailed(Exception):
    """A step did not come to what it should; the message is for the person at the terminal."""


def say(text: str) -> None:
    print(f"demo: {text}", flush=True)


def until(what: str, seconds: float, act: Callable[[], Any]) -> Any:
    """The first truthy answer of `act`, asked again for so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            answer = act()
        except requests.ConnectionError:
            answer = None
        if answer:
            return answer
        time.sleep(0.1)
    raise DemoFailed(f"{what} did not happen within {seconds:.0f} s")


class Driver:
    """The steps of a first day, as a person would click them."""

    def __init__(self, paths: Paths, replay: bool) -> None:
        self._paths = paths
        self._replay = replay
        self._paper = int(os.environ["TBOT_PAPER_PORT"])
        self._browser = Browser(f"http://127.0.0.1:{os.environ['TBOT_WEB_PORT']}")
        self._user = "demo-admin"
        self._password = secrets.token_urlsafe(24)

    def run(self) -> dict[str, Any]:
        """The day's summary."""
        until("the web UI", 30, lambda: self._browser.open("/health").status == 200)
        self._configure()
        self._register()
        self._log_in_again()
        self._universe()
        self._post_button("/start")
        self._clock("run")
        say("started; the session runs")
        path = self._summary()
        self._clock("pause")
        self._post_button("/stop")
        return dict(json.loads(path.read_bytes()))

    def _configure(self) -> None:
        page = until("the configuration page", 30, lambda: self._page_with("/configuration"))
        form = next(f for f in page.forms if "BROKER_NAME" in f.fields)
        changes = {"BROKER_URL": f"http://127.0.0.1:{self._paper}"} | (REPLAY_VALUES if self._replay else {})
        page = self._browser.send(page, form, changes)
        if page.status >= 400:
            raise DemoFailed(f"the configuration was refused: {page.text[:500]}")
        for key, value in changes.items():
            say(f"configured {key}={value}")
        until("provisioning", 60, self._provisioned)
        say("provisioned")

    def _page_with(self, path: str) -> Page | None:
        page = self._browser.open(path)
        return page if any("BROKER_NAME" in form.fields for form in page.forms) else None

    def _provisioned(self) -> bool:
        body = self._browser.json("/progress.json")
        if body.get("failed"):
            raise DemoFailed(f"provisioning failed: {json.dumps(body)}")
        return any("/register" in form.action for form in self._browser.open("/register").forms)

    def _register(self) -> None:
        page = self._browser.open("/register")
        typed = {
            "username": self._user,
            "email": "demo@example.org",
            "password": self._password,
            "again": self._password,
        }
        page = self._browser.send(page, page.form("/register"), typed)
        if page.status >= 400:
            raise DemoFailed(f"registration was refused: {page.text[:300]}")
        say(f"registered {self._user}")

    def _log_in_again(self) -> None:
        page = self._browser.open("/")
        page = self._browser.send(page, page.form("/logout"))
        page = self._browser.open("/login")
        page = self._browser.send(page, page.form("/login"), {"username": self._user, "password": self._password})
        if page.status >= 400 or "/login" in page.url:
            raise DemoFailed(f"login was refused: {page.text[:300]}")
        say("logged out and in again")

    def _universe(self) -> None:
        self._post_button("/universe/build", page="/universe")
        built = until("the universe", 60, self._built)
        if not built.get("built_at") and self._replay:
            say(f"{built.get('error')}")
            say("the file's first session has no close before it: the clock goes to one minute after the open")
            opens = until("the bot's status", 30, lambda: self._part("status").get("session"))["open"]
            self._clock("skip_to", {"time": (datetime.fromisoformat(opens) + timedelta(minutes=1)).isoformat()})
            self._post_button("/universe/build", page="/universe")
            built = until("the universe", 60, lambda: self._part("universe").get("built_at") and self._part("universe"))
        if not built.get("built_at"):
            raise DemoFailed(f"the universe could not be built: {built.get('error')}")
        counts = built.get("counts", {})
        say(f"universe: {counts.get('kept')} of {counts.get('listed')} symbols kept")

    def _built(self) -> dict[str, Any]:
        """What the universe worker published, once it is done either way."""
        body = self._part("universe")
        return body if body.get("built_at") or body.get("state") == "failed" else {}

    def _part(self, name: str) -> dict[str, Any]:
        """A published snapshot's body as the web gives it; empty while there is none."""
        parts = self._browser.json(f"/live.json?names={name}").get("parts", {})
        part = parts.get(name) if isinstance(parts, dict) else None
        body = part.get("body") if isinstance(part, dict) else None
        return body if isinstance(body, dict) else {}

    def _post_button(self, action: str, page: str = "/") -> None:
        shown = self._browser.open(page)
        answer = self._browser.send(shown, shown.form(action))
        if answer.status >= 400:
            raise DemoFailed(f"{action} was refused: {answer.text[:300]}")

    def _clock(self, act: str, body: dict[str, str] | None = None) -> None:
        """Ask the venue's admin port: run, pause or skip_to."""
        address = f"http://127.0.0.1:{self._paper + 1}/clock/{act}"
        requests.post(address, json=body or {}, timeout=10).raise_for_status()

    def _summary(self) -> Any:
        shown = ""
        deadline = time.monotonic() + DAY_SECONDS
        while time.monotonic() < deadline:
            found = sorted((self._paths.output / "sessions").glob("*/summary.json"))
            if found:
                return found[0]
            words = self._words()
            if words and words != shown:
                say(words)
                shown = words
            time.sleep(0.25)
        raise DemoFailed(f"the session did not end within {DAY_SECONDS:.0f} s; look at {self._paths.output / 'logs'}")

    def _words(self) -> str:
        """The state word and the windows' phases, for the terminal."""
        body = self._part("status")
        phases = ", ".join(f"{w['strategy']} {w['phase']}" for w in body.get("windows", ()))
        return f"{body.get('state', '')}: {phases or body.get('why', '')}" if body else ""


def judge(paths: Paths, summary: dict[str, Any]) -> list[str]:
    """What is wrong with the day, asked of the broker, the journal and the ledger themselves; empty = a good day."""
    secrets_ = open_secrets(paths)
    broker = open_broker(secrets_.broker, secrets_.bot, FollowedClock())
    faults = [f"the broker still holds {p.quantity} {p.symbol}" for p in broker.get_positions()]
    faults += [f"order {o.client_id} is still open at the broker" for o in broker.open_orders()]
    session = next(iter(p.parent.name for p in (paths.output / "sessions").glob("*/summary.json")))
    journal = read_journal(paths, date.fromisoformat(session))
    for order in journal.orders.values():
        status = order.report.status if order.report else OrderStatus.INTENDED
        if status not in FINAL_STATUSES:
            faults.append(f"order {order.intent.client_id} ended as {status}")
    ledger = LedgerStore(paths.ledger_db)
    balance = ledger.trial_balance()
    if sum(d for d, _ in balance.values()) != sum(c for _, c in balance.values()):
        faults.append("debits and credits differ")
    faults += list(ledger.verify())
    hours_open = summary["hours"]["open"]
    since = datetime.fromisoformat(hours_open) - timedelta(days=1)
    executed = broker.executions_since(since)
    missing = [e.execution_id for e in executed if not ledger.has_execution(e.execution_id)]
    faults += [f"fill {execution_id} is not in the ledger" for execution_id in missing]
    ids = [row["client_id"] for row in summary["orders"]]
    if len(ids) != len(set(ids)):
        faults.append("a client order id was used twice")
    broker.close()
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools.demo")
    parser.add_argument("--replay", action="store_true", help="the venue replays recorded bars")
    arguments = parser.parse_args()
    paths = Paths(root_from_environment())
    code, began = 1, time.monotonic()
    try:
        summary = Driver(paths, arguments.replay).run()
        print("\n" + render_report(summary), flush=True)
        faults = judge(paths, summary)
        for fault in faults:
            say(f"FAULT: {fault}")
        code = 1 if faults else 0
        say(f"{'not good' if faults else 'a good day'}; {time.monotonic() - began:.0f} s")
    except (DemoFailed, LookupError, requests.RequestException) as error:
        say(f"FAILED: {error}")
    finally:
        write_bytes(paths.output / "verdict", str(code).encode())
        os.kill(os.getppid(), signal.SIGTERM)
    return code


if __name__ == "__main__":
    sys.exit(main())
