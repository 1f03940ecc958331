"""Alpaca's trading stream: JSON in binary frames, `trade_updates` of the client's own account."""

import asyncio
import json
from collections.abc import Mapping

from aiohttp import web

from tbot_bot.paper.book import OrderEvent
from tbot_bot.paper.market import asset_id
from tbot_bot.paper.render import Json, event_json
from tbot_bot.paper.stream_hub import Client, Manner, serve
from tbot_bot.paper.venue import Venue

CHANNEL = "trade_updates"
_LATE = json.dumps({"stream": "authorization", "data": {"action": "authenticate", "status": "unauthorized"}}).encode()


class TradingStream:
    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.clients: set[Client] = set()

    def publish(self, event: OrderEvent) -> None:
        """Sends an event to the account's listeners; fill messages go through the faults."""
        account = event.order.account
        update = event_json(event, asset_id(self._venue.market, event.order.symbol))
        frame = json.dumps({"stream": CHANNEL, "data": update}).encode()
        faults = self._venue.faults
        if event.fill is None:
            self._send(account, frame)
            return
        if faults.take("missing_fills"):
            return
        copies = 2 if faults.take("duplicate_fills") else 1
        for _ in range(copies):
            if faults.late_fills_ms:
                asyncio.get_running_loop().call_later(faults.late_fills_ms / 1000, self._send, account, frame)
            else:
                self._send(account, frame)

    def _send(self, account: str, frame: bytes) -> None:
        if self._venue.faults.mute_streams:
            return
        for client in self.clients:
            if client.account == account and CHANNEL in client.channels:
                client.send(frame)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        return await serve(request, self.clients, Manner(b"", self._act, late=_LATE))

    def _act(self, client: Client, data: str | bytes) -> None:
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, Mapping):
            _reply(client, "error", {"error": "message is no JSON object"})
            return
        body = message.get("data")
        action, body = message.get("action"), body if isinstance(body, Mapping) else {}
        if action in ("authenticate", "auth"):
            self._authenticate(client, {**message, **body})
        elif action == "listen":
            self._listen(client, body)
        else:
            _reply(client, "error", {"error": f"unknown action {str(action)[:40]!r}"})

    def _authenticate(self, client: Client, body: Mapping[str, object]) -> None:
        key, secret = body.get("key_id", body.get("key", "")), body.get("secret_key", body.get("secret", ""))
        account = self._venue.authenticate(str(key), str(secret))
        status = "unauthorized" if account is None else "authorized"
        if account is not None:
            client.account = account.id
        _reply(client, "authorization", {"action": "authenticate", "status": status})

    def _listen(self, client: Client, body: Mapping[str, object]) -> None:
        asked = body.get("streams")
        if not client.account:
            _reply(client, "authorization", {"action": "listen", "status": "unauthorized"})
            return
        streams = [CHANNEL] if isinstance(asked, list) and CHANNEL in asked else []
        client.channels = {name: set() for name in streams}
        _reply(client, "listening", {"streams": streams})


def _reply(client: Client, stream: str, data: Json) -> None:
    client.send(json.dumps({"stream": stream, "data": data}).encode())


def add_routes(app: web.Application, stream: TradingStream) -> None:
    app.router.add_get("/stream", stream.handle)
