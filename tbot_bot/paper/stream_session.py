"""A client's side of the data stream: its encoding, its login, its subscriptions and the errors that answer it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgpack
from aiohttp import web

from tbot_bot.paper.plans import PLANS
from tbot_bot.paper.sessions import rfc3339
from tbot_bot.paper.stream_hub import Client
from tbot_bot.paper.venue import Venue

CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds", "corrections", "cancelErrors")
_OTHER_FEEDS = frozenset({"news", "orderbooks", "imbalances"})
_LIMITED = ("trades", "quotes")
ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
}


def pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value)
    return packed


def timestamp(ms: int) -> msgpack.Timestamp:
    return msgpack.Timestamp(ms // 1000, ms % 1000 * 1_000_000)


def error(code: int) -> bytes:
    return pack([{"T": "error", "code": code, "msg": ERRORS[code]}])


def as_json(frame: bytes) -> str:
    """What a client reads that did not ask for msgpack."""
    return json.dumps(msgpack.unpackb(frame), default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, msgpack.Timestamp):
        return rfc3339(value.seconds * 1000 + value.nanoseconds // 1_000_000)
    raise TypeError(f"{type(value).__name__} is not sent")


def wants_msgpack(request: web.Request) -> bool:
    return request.headers.get("Content-Type", "").startswith("application/msgpack")


class DataSessions:
    """Answers the messages of the clients of one data stream."""

    def __init__(self, venue: Venue, clients: set[Client]) -> None:
        self._venue = venue
        self._clients = clients
        self._plan = PLANS[venue.settings.plan]

    def act(self, client: Client, data: str | bytes) -> None:
        message = _read(client, data)
        action = message.get("action")
        if action not in ("auth", "subscribe", "unsubscribe"):
            client.send(error(400))
        elif action == "auth":
            self._authenticate(client, str(message.get("key", "")), str(message.get("secret", "")))
        elif not client.account:
            client.send(error(401))
        elif _OTHER_FEEDS & message.keys():
            client.send(error(410))
        else:
            self._subscribe(client, message, add=action == "subscribe")

    def _authenticate(self, client: Client, key: str, secret: str) -> None:
        if client.account:
            client.send(error(403))
            return
        account = self._venue.authenticate(key, secret)
        if account is None:
            client.send(error(402))
            return
        held = sum(1 for other in self._clients if other.account == account.id and not other.is_cut)
        if self._plan.connections and held >= self._plan.connections:
            client.cut(error(406))
        elif client.feed == "sip" and not self._plan.sip:
            client.cut(error(409))
        else:
            client.account = account.id
            client.send(pack([{"T": "success", "msg": "authenticated"}]))

    def _subscribe(self, client: Client, message: Mapping[str, Any], *, add: bool) -> None:
        """All of it or, beyond the plan's limit, nothing. Corrections of trades come with them."""
        channels: dict[str, set[str]] = {}
        for channel in CHANNELS:
            asked = message.get(channel)
            listed = isinstance(asked, Sequence) and not isinstance(asked, str)
            names = {str(name) for name in asked or ()} if listed else set()
            held = client.channels.get(channel, set())
            channels[channel] = held | names if add else held - names
        channels["corrections"] = channels["cancelErrors"] = set(channels["trades"])
        if add and self._exceeds(channels):
            client.send(error(405))
            return
        client.channels = channels
        client.send(pack([{"T": "subscription", **{name: sorted(channels[name]) for name in CHANNELS}}]))

    def _exceeds(self, channels: Mapping[str, set[str]]) -> bool:
        limit = self._plan.symbols
        everything = any("*" in channels[name] for name in _LIMITED)
        return bool(limit) and (everything or sum(len(channels[name]) for name in _LIMITED) > limit)


def _read(client: Client, data: str | bytes) -> Mapping[str, Any]:
    """The message; empty when it is none in the client's encoding."""
    try:
        if client.encode is not None:
            message = json.loads(data)
        else:
            message = msgpack.unpackb(data) if isinstance(data, bytes) else None
    except (ValueError, RecursionError, msgpack.UnpackException):
        message = None
    return message if isinstance(message, Mapping) else {}
