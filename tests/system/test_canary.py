"""Planted secrets are looked for in every byte that tbot leaves behind: files, databases, backups, logs, tracebacks,
/proc, and what it answers over HTTP.

E-mail addresses and user names are personal, not secret: they are encrypted in the database, and shown to admins."""

import base64
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tbot_bot.domain.session import ARMED_STATES
from tbot_bot.interface.requests import Courier
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import ROOT_VARIABLE, Paths
from tbot_web.app import create_app
from tests.system.harness import LiveBot
from tools.child import end, start_python
from tools.page_client import Browser
from tools.runner_process import RunnerProcess, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

USER = "canary-admin"


def planted(name: str) -> str:
    return f"cnry-{name}-{secrets.token_hex(12)}"


def disguises(secret: str) -> tuple[bytes, ...]:
    """The value as it is, and as careless code might write it."""
    raw = secret.encode()
    plain = base64.b64encode(raw).rstrip(b"=")
    return raw, plain, raw.hex().encode(), quote(secret, safe="").encode(), raw[::-1], secret.encode("utf-16-le")


def leaks(places: Iterable[tuple[str, bytes]], known: dict[str, str]) -> list[str]:
    """(place, content) pairs against name → secret. A key may lie in a key's file, here or in the drill's root."""
    return [
        f"{name} is in {place}"
        for place, content in places
        for name, secret in known.items()
        if any(form in content for form in disguises(secret))
        if not ("key of broker" in name and place.endswith("/keys/broker.key"))
    ]


def files(root: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below `root`, names included; a file that goes away meanwhile is not there to be read."""
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            try:
                yield str(path.relative_to(root)), str(path).encode() + b"\n" + path.read_bytes()
            except FileNotFoundError:
                continue


def processes(pids: Iterable[int]) -> Iterator[tuple[str, bytes]]:
    for pid in pids:
        for name in ("cmdline", "environ", "maps", "comm", "limits"):
            try:
                yield f"{name} of {pid}", Path(f"/proc/{pid}/{name}").read_bytes()
            except OSError:
                continue


def pages(browser: Browser, root: Path) -> Iterator[tuple[str, bytes]]:
    """Every page and JSON that takes no argument, whole, as the browser's login sees it."""
    rules = create_app(Paths(root), SystemClock()).url_map.iter_rules()
    paths = sorted(rule.rule for rule in rules if "GET" in (rule.methods or ()) and not rule.arguments)
    assert {"/", "/configuration", "/users", "/keys", "/audit", "/live.json"} <= set(paths)
    for path in paths:
        yield path, browser.raw(path)


def act(bot: LiveBot, kind: str, password: str = "", **body: object) -> dict[str, Any]:
    """What the page sends for the admin who is logged in, and the runner's answer to it."""
    courier = Courier(bot.paths, SystemClock())
    proof = {"step_up": {"password": password, "code": ""}} if password else {}
    reply = courier.ask(kind, {**body, **proof}, token=bot.browser.cookie("tbot_session"), ip="192.0.2.1", timeout=30)
    assert reply.ok, (kind, reply.code, reply.message)
    return dict(reply.body)


def sent(browser: Browser, path: str, action: str, typed: dict[str, str]) -> int:
    """Fill in one form and submit it once the page has it; the answer's status."""

    def page() -> Any:
        found = browser.open(path)
        return found if any(form.action.endswith(action) for form in found.forms) else None

    shown = wait_for(f"the form {action}", page)
    return browser.send(shown, shown.form(action), typed).status


def test_the_search_finds_what_is_planted(tmp_path: Path) -> None:
    known = {"it": planted("self")}
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "plain.log").write_text(f"x{known['it']}y")
    (tmp_path / "coded").write_bytes(base64.b64encode(known["it"].encode()))

    assert leaks(files(tmp_path), known) == [f"it is in {name}" for name in ("a/plain.log", "coded")]
    assert leaks([("here", b"nothing")], known) == []


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[LiveBot]:
    running = LiveBot(tmp_path, speed=300)
    yield running
    running.stop()


def test_no_secret_reaches_a_file_or_the_process_table(bot: LiveBot) -> None:
    """A first day in which the user mistypes, logs in wrongly, trades, and the venue fails in every way it can."""
    known = {
        key: planted(key.lower().replace("_", "-"))
        for key in ("BROKER_API_KEY", "BROKER_SECRET_KEY", "BROKER_USERNAME", "BROKER_PASSWORD", "SCREENER_API_KEY")
    }
    known |= {f"ALERT_URL_{name}": planted(name.lower()) for name in ("EMAIL", "SLACK", "SMS", "PAGERDUTY")}
    known |= {"password": planted("password"), "wrong password": planted("wrong"), "mistyped": planted("mistyped")}
    values = {key: f"json://127.0.0.1:9/{text}" if key.startswith("ALERT") else text for key, text in known.items()}
    typed = {key: values[key] for key in values if key.isupper()} | {
        "BROKER_URL": f"http://127.0.0.1:{bot.paper}",
        "CRITICAL_ALERT_CHANNEL": "slack",
    }
    wrong = typed | {"MAX_TRADES": known["mistyped"], "BROKER_SECRET_KEY": known["mistyped"]}
    person = {"username": USER, "email": "canary@example.org"}
    browser = bot.browser

    wait_for("the web", lambda: _answers(browser), 60)
    bot.admin("/clock/pause")
    assert sent(browser, "/configuration", "/configuration", wrong) == 422
    assert sent(browser, "/configuration", "/configuration", typed) < 400
    assert sent(browser, "/register", "/register", person | _twice(known["mistyped"], known["password"])) == 422
    assert sent(browser, "/register", "/register", person | _twice(known["password"], known["password"])) < 400
    assert sent(browser, "/", "/logout", {}) < 400
    assert sent(browser, "/login", "/login", {"username": USER, "password": known["wrong password"]}) == 401
    assert sent(browser, "/login", "/login", {"username": known["mistyped"], "password": known["password"]}) == 401
    assert sent(browser, "/login", "/login", {"username": USER, "password": known["password"]}) < 400
    known["cookie"] = browser.cookie("tbot_session")
    known["form cookie"] = browser.cookie("tbot_form")
    assert sent(browser, "/universe", "/universe/build", {}) < 400
    wait_for("the universe", lambda: bot.part("universe").get("built_at"), 60)
    assert sent(browser, "/", "/start", {}) < 400
    wait_for("the armed bot", lambda: browser.json("/live.json").get("state") in ARMED_STATES)
    bot.admin("/clock/run")
    for status in (500, 503, 504, 429):
        bot.admin("/faults", http_status=status, http_count=15)
        time.sleep(1)
    bot.admin("/faults", drop_streams=True)
    wait_for("a filled order", lambda: any(row["filled"] for row in bot.part("orders").get("rows", ())), 90)

    for name, text in keep_and_change(bot, known["password"]).items():
        known[name] = text
    found = leaks(processes(bot.pids), known) + leaks(files(bot.paths.root), known)
    # The form's own token is in every form; a login's cookie is in no page.
    found += leaks(pages(browser, bot.paths.root), {k: v for k, v in known.items() if k != "form cookie"})
    bot.stop()
    found += leaks(files(bot.paths.root), known) + leaks([("the terminal", bot.terminal.read_bytes())], known)

    assert sorted(set(found)) == []


def keep_and_change(bot: LiveBot, password: str) -> dict[str, str]:
    """Recovery key, backup, exported and rotated keys, a second factor that is begun, another user, another password:
    each with the secrets that it showed once."""
    shown: dict[str, str] = {"key of broker": (bot.paths.keys / "broker.key").read_text()}
    recovery = act(bot, "recovery_begin")
    identity = str(recovery["identity"]).replace(" ", "")
    body = identity.removeprefix("AGE-SECRET-KEY-1")
    shown |= {"recovery key": identity, "recovery key, in groups": body[6:30]}
    act(bot, "recovery_confirm", last_group=body[(len(body) - 1) // 6 * 6 :])
    act(bot, "backup_now")
    wait_for("the backup", lambda: list(bot.paths.backups.glob("*.age")), 60)
    act(bot, "export_keys", password, recipient=recovery["recipient"])
    act(bot, "rotate", password, categories=["broker", "smtp"])
    shown["new key of broker"] = (bot.paths.keys / "broker.key").read_text()
    shown["second factor"] = str(act(bot, "totp_begin", password)["secret"])
    shown["another's password"] = planted("another")
    who = {"username": "second", "email": "second@example.org", "role": "viewer"}
    act(bot, "user_add", password, new_password=shown["another's password"], **who)
    return shown


def _answers(browser: Browser) -> bool:
    try:
        return browser.open("/health").status == 200
    except OSError:
        return False


def _twice(password: str, again: str) -> dict[str, str]:
    return {"password": password, "again": again}


class Parrot(BaseHTTPRequestHandler):
    """A broker that answers with everything it was told, secrets and all, as errors and as nonsense."""

    asked = 0

    def _repeat(self) -> None:
        told = "; ".join(f"{name}={value}" for name, value in self.headers.items())
        status = (401, 500, 403, 200, 422, 503, 302)[type(self).asked % 7]
        type(self).asked += 1
        body = f'{{"code": 40110000, "message": "denied: {told} at {self.path}", "account": "{told}"}}'.encode()
        self.send_response(status, told[:200])
        self.send_header("X-Told", told)
        self.send_header("Location", f"http://127.0.0.1:9/{quote(told)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = do_PATCH = _repeat  # noqa: N815 - the names are http.server's

    def log_message(self, *_: object) -> None:
        """The test's output needs none of it."""


@pytest.fixture
def parrot() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Parrot)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_a_broker_that_repeats_our_secrets_finds_no_echo_in_our_logs(
    tmp_path: Path, parrot: ThreadingHTTPServer
) -> None:
    known = {"BROKER_API_KEY": planted("api"), "BROKER_SECRET_KEY": planted("secret")}
    url = f"http://127.0.0.1:{parrot.server_address[1]}"
    runner = RunnerProcess(tmp_path)
    workers = []
    try:
        runner.start()
        runner.provision({"BROKER_URL": url, **known})
        variables = {ROOT_VARIABLE: str(runner.paths.root)}
        for module in (["tbot_bot.runtime.trader"], ["tbot_bot.runtime.universe"]):
            workers.append(start_python(["-m", *module], tmp_path / f"{module[0]}.txt", variables))
        wait_for("many answers", lambda: Parrot.asked > 14, 60)
        found = leaks(processes(worker.pid for worker in workers), known)
    finally:
        for worker in workers:
            end(worker)
        runner.end()
    found += leaks(files(tmp_path), known)

    assert found == []
    assert b'"level": "error"' in (tmp_path / "tbot_bot.runtime.trader.txt").read_bytes()
