"""Drives one whole trading day through the web's own pages, then reports it and judges it.

Started by `python -m tools.foreground --demo` beside the real processes; its verdict becomes the exit code."""

import argparse
import json
import os
import secrets
import signal
import sys
import time
from datetime import date, datetime, timedelta
from typing import Any

import requests

from tbot_bot.accounting.store import LedgerStore
from tbot_bot.broker.gateway import open_broker
from tbot_bot.broker.links import BrokerLinks
from tbot_bot.config.security_bot import open_secrets
from tbot_bot.domain.errors import TbotError
from tbot_bot.domain.orders import FINAL_STATUSES, OrderStatus
from tbot_bot.domain.session import ARMED_STATES
from tbot_bot.reporting.daily_report import render_report
from tbot_bot.runtime.journal import read_journal
from tbot_bot.support.atomic_file import write_bytes
from tbot_bot.support.clock import FollowedClock
from tbot_bot.support.path_resolver import Paths, root_from_environment
from tools.page_client import Browser
from tools.patience import DemoFailed, calmly, press, say, until

DAY_SECONDS = 240.0
TRIES = 6
REPLAY_VALUES = {
    # Recorded files tell neither company data nor a long history, and hold large companies.
    "ENABLE_FUNNHUB_FUNDAMENTALS_FILTER": "false",
    "MARKET_CAP_MISSING_ALLOWED": "true",
    "MIN_VOLUME_THRESHOLD": "0",
    "MIN_PRICE": "1",
    "MAX_PRICE": "5000",
}


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
        self._start()
        self._clock("run")
        say("started; the session runs")
        path = self._summary()
        self._clock("pause")
        press(self._browser, "/", "/stop", {}, lambda: False)
        return dict(json.loads(path.read_bytes()))

    def _configure(self) -> None:
        changes = {"BROKER_URL": f"http://127.0.0.1:{self._paper}"} | (REPLAY_VALUES if self._replay else {})
        for key, value in changes.items():
            say(f"configured {key}={value}")
        for _ in range(TRIES):
            press(self._browser, "/configuration", "/configuration", changes, self._provisioned)
            failed = until("provisioning", 60, self._provisioned_or_failed)
            if failed == "done":
                say("provisioned")
                return
            say(f"provisioning was undone at the step {failed}; submitting again")
        raise DemoFailed(f"provisioning failed {TRIES} times: {self._browser.json('/progress.json')}")

    def _provisioned_or_failed(self) -> str | None:
        """done, the failed step once everything is undone, or None while it is under way."""
        body = self._browser.json("/progress.json")
        if body.get("failed") and body.get("state") == "initialize":
            return str(body["failed"])
        return "done" if self._provisioned() else None

    def _provisioned(self) -> bool:
        return any("/register" in form.action for form in self._browser.open("/register").forms)

    def _register(self) -> None:
        typed = {
            "username": self._user,
            "email": "demo@example.org",
            "password": self._password,
            "again": self._password,
        }
        press(self._browser, "/register", "/register", typed, self._has_users)
        say(f"registered {self._user}")

    def _has_users(self) -> bool:
        """Whether the first admin exists: then the front page asks for a login or shows that we are in."""
        return any("/log" in form.action for form in self._browser.open("/").forms)

    def _logged_in(self) -> bool:
        return any("/logout" in form.action for form in self._browser.open("/").forms)

    def _log_in_again(self) -> None:
        typed = {"username": self._user, "password": self._password}
        press(self._browser, "/", "/logout", {}, lambda: not self._logged_in())
        press(self._browser, "/login", "/login", typed, self._logged_in)
        until("the login", 10, self._logged_in)
        say("logged out and in again")

    def _universe(self) -> None:
        built: dict[str, Any] = {}
        for _ in range(TRIES):
            press(self._browser, "/universe", "/universe/build", {}, lambda: False)
            built = until("the universe", 60, self._built)
            if built.get("built_at"):
                break
            say(f"{built.get('error')}")
            if self._replay:
                self._pass_the_open()
            time.sleep(1)
        else:
            raise DemoFailed(f"the universe could not be built: {built.get('error')}")
        counts = built.get("counts", {})
        say(f"universe: {counts.get('kept')} of {counts.get('listed')} symbols kept")

    def _pass_the_open(self) -> None:
        say("the file's first session has no close before it: the clock goes to one minute after the open")
        opens = until("the bot's status", 30, lambda: self._part("status").get("session"))["open"]
        self._clock("skip_to", {"time": (datetime.fromisoformat(opens) + timedelta(minutes=1)).isoformat()})

    def _built(self) -> dict[str, Any]:
        """What the universe worker published, once it is done either way."""
        body = self._part("universe")
        return body if body.get("built_at") or body.get("state") == "failed" else {}

    def _start(self) -> None:
        """Press Start until the bot is armed: the press, or the bot that took it, may have died."""
        for _ in range(TRIES):
            press(self._browser, "/", "/start", {}, self._armed)
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                if calmly(self._armed, False):
                    return
                time.sleep(0.1)
            say("the bot did not arm itself; pressing Start again")
        raise DemoFailed(f"the bot never armed itself; look at {self._paths.output / 'logs'}")

    def _armed(self) -> bool:
        return self._browser.json("/live.json").get("state") in ARMED_STATES

    def _part(self, name: str) -> dict[str, Any]:
        """A published snapshot's body as the web gives it; empty while there is none."""
        parts = self._browser.json(f"/live.json?names={name}").get("parts", {})
        part = parts.get(name) if isinstance(parts, dict) else None
        body = part.get("body") if isinstance(part, dict) else None
        return body if isinstance(body, dict) else {}

    def _clock(self, act: str, body: dict[str, str] | None = None) -> None:
        """Ask the venue's admin port: run, pause or skip_to; it may be just restarting."""
        address = f"http://127.0.0.1:{self._paper + 1}/clock/{act}"

        def ask() -> requests.Response:
            return requests.post(address, json=body or {}, timeout=10)

        until("the venue's answer", 30, ask).raise_for_status()

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
        body = calmly(lambda: self._part("status"), dict[str, Any]())
        phases = ", ".join(f"{w['strategy']} {w['phase']}" for w in body.get("windows", ()))
        return f"{body.get('state', '')}: {phases or body.get('why', '')}" if body else ""


def judge(paths: Paths, summary: dict[str, Any]) -> list[str]:
    """What is wrong with the day, asked of the broker, the journal and the ledger themselves; empty = a good day."""
    secrets_ = open_secrets(paths)
    broker = open_broker(secrets_.broker, secrets_.bot, FollowedClock(), BrokerLinks())
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
    except (DemoFailed, LookupError, requests.RequestException, TbotError) as error:
        say(f"FAILED: {error}")
    finally:
        write_bytes(paths.output / "verdict", str(code).encode())
        os.kill(os.getppid(), signal.SIGTERM)
    return code


if __name__ == "__main__":
    sys.exit(main())
