"""A web site over a root of its own: real published files, states and sessions; the runner is a fake at its port."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tbot_bot.config.form import form_model
from tbot_bot.interface.requests import Reply
from tbot_bot.support.atomic_file import ensure_folder, write_json
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.session_record import SessionRecord, digest
from tbot_bot.support.snapshot import Publisher
from tbot_web.app import create_app
from tbot_web.support.session_manager import COOKIE

NOW = datetime(2026, 3, 10, 14, 0, tzinfo=UTC)
OK = Reply(ok=True, code="ok", message="")
LOGGED_IN = {"token": "runner-token", "user": "alex", "role": "admin", "expires_at": "2026-03-10T15:00:00+00:00"}


@dataclass
class FakeRunner:
    """Notes what it is asked and gives the prepared answer: that for the kind, else the common one."""

    reply: Reply = OK
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any], str | None]] = field(default_factory=list)
    told: list[tuple[str, dict[str, Any], str | None]] = field(default_factory=list)

    def ask(self, kind: str, body: Mapping[str, Any], *, token: str | None, ip: str, timeout: float = 20.0) -> Reply:
        self.asked.append((kind, dict(body), token))
        return self.replies.get(kind, self.reply)

    def tell(self, kind: str, body: Mapping[str, Any], *, token: str | None, ip: str) -> None:
        self.told.append((kind, dict(body), token))

    def answer(self, kind: str, **body: Any) -> None:
        self.replies[kind] = Reply(ok=True, code="ok", message="", body=body)

    def refuse(self, kind: str, code: str, message: str = "", /, *, body: Any = None, **faults: str) -> None:
        rows = tuple({"key": k, "value": "", "message": m, "allowed": "", "nearest": ""} for k, m in faults.items())
        self.replies[kind] = Reply(ok=False, code=code, message=message, body=body or {}, faults=rows)

    def last(self, kind: str) -> dict[str, Any]:
        """The body of the newest request of `kind`."""
        return next(body for asked, body, _ in reversed(self.asked) if asked == kind)


class Site:
    """The application, a browser on it, and the hands that write what others publish."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root=root)
        self.clock = ManualClock(NOW)
        self.runner = FakeRunner()
        for folder in (self.paths.control, self.paths.requests, self.paths.sessions):
            ensure_folder(folder)
        self.runner_says = Publisher(self.paths, "runner", self.clock)
        self.bot_says = Publisher(self.paths, "bot", self.clock)
        self.app: Flask = create_app(self.paths, self.clock, courier=self.runner)
        self.browser: FlaskClient = self.app.test_client()

    def state(self, word: str) -> None:
        self.paths.bot_state.write_text(word + "\n")

    def fresh(self) -> None:
        """Nothing provisioned, nobody registered."""
        self.state("initialize")
        self.runner_says.publish("system", {"provisioned": False, "users": 0, "version": "v1", "paper": True}, 30)
        self.runner_says.publish("form", {**form_model(), "values": {}, "secrets_set": [], "problem": ""}, 30)

    def provisioned(self, users: int = 1, state: str = "idle") -> None:
        self.fresh()
        self.state(state)
        self.runner_says.publish("system", {"provisioned": True, "users": users, "version": "v1", "paper": True}, 30)

    def log_in(self, role: str = "admin", cookie: str = "cookie-text") -> None:
        record = SessionRecord("alex", role, NOW, NOW + timedelta(hours=1), "00", NOW, NOW + timedelta(minutes=50))
        write_json(self.paths.sessions / digest(cookie), record.to_json())
        self.browser.set_cookie(COOKIE, cookie)

    def token(self, page: str) -> str:
        """The form token of a page."""
        text = self.browser.get(page).get_data(as_text=True)
        return text.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]

    def post(self, path: str, page: str, **values: str) -> Any:
        return self.browser.post(path, data={"csrf_token": self.token(page), **values})


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)
