"""Telling the runner that a person is here: pages and forms push a login's idle clock forward, polls do not."""

import hashlib
from datetime import datetime, timedelta

from flask import Flask, request

from tbot_web.services import services
from tbot_web.support.session_manager import current_login, token
from tbot_web.support.utils_web import client_ip

POLLS = frozenset({"static", "live.live", "live.fresh_token", "configuration.progress_facts"})
_MOST = 1000


class Presence:
    """When each login was last told of, in this process."""

    def __init__(self) -> None:
        self._told: dict[str, datetime] = {}

    def note(self) -> None:
        """Before each request. It never waits for the runner, which checks the login again."""
        cookie, visitor = token(), current_login()
        if request.endpoint in POLLS or request.endpoint is None or cookie is None or visitor is None:
            return
        now = services().clock.now()
        # A digest: the cookie itself is kept nowhere.
        login = hashlib.sha256(cookie.encode()).hexdigest()
        last = self._told.get(login)
        if last is not None and timedelta(0) <= now - last < visitor.touch_every:
            return
        if len(self._told) >= _MOST:
            self._told.clear()
        self._told[login] = now
        services().courier.tell("touch", {}, token=cookie, ip=client_ip())


def watch_presence(app: Flask) -> None:
    app.before_request(Presence().note)
