"""Streams of market events and of an account's orders: a session by REST, then lines over HTTP or a WebSocket."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from tbot_bot.paper.book import Account, OrderEvent
from tbot_bot.paper.sessions import rfc3339
from tbot_bot.paper.venue import Venue
from tbot_bot.paper.web import account_of
from tools.counterparts.tradier.orders import order_row
from tools.counterparts.tradier.quotes import quote
from tools.counterparts.tradier.shape import Json, answer, number_of_digest

SESSION_S = 300.0
"""Within which a session has to be used, once."""
HEARTBEAT_S = 5.0
_QUEUED = 2000
_KINDS = frozenset({"quote", "trade", "summary", "timesale", "tradex"})


@dataclass(eq=False, slots=True)
class Listener:
    """One connection. `symbols` and `kinds`: what it asked of the market; empty for an account's stream."""

    account: Account
    symbols: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset()
    queue: asyncio.Queue[Json] = field(default_factory=lambda: asyncio.Queue(_QUEUED))
    transport: asyncio.Transport | None = None

    def put(self, event: Json) -> None:
        """A listener that falls behind is cut off."""
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            if self.transport is not None:
                self.transport.abort()


class Events:
    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._sessions: dict[str, tuple[float, Account]] = {}
        self._listeners: set[Listener] = set()
        venue.exchange.listen(self._publish)

    def add_routes(self, app: web.Application) -> None:
        app.add_routes(
            [
                web.post("/v1/markets/events/session", self.open_session),
                web.post("/v1/accounts/events/session", self.open_session),
                web.get("/v1/markets/events", self.market),
                web.post("/v1/markets/events", self.market),
                web.get("/v1/accounts/events", self.account),
            ]
        )

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def drop(self) -> int:
        """Cuts all streams without a goodbye."""
        found = [each.transport for each in self._listeners if each.transport is not None]
        for transport in found:
            transport.abort()
        return len(found)

    async def open_session(self, request: web.Request) -> web.Response:
        name = secrets.token_urlsafe(16)
        now = asyncio.get_running_loop().time()
        self._sessions = {key: kept for key, kept in self._sessions.items() if kept[0] > now}
        self._sessions[name] = (now + SESSION_S, account_of(request))
        url = f"{request.scheme}://{request.host}{request.path.removesuffix('/session')}"
        return answer(request, {"stream": {"url": url, "sessionid": name}})

    async def market(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request)
        form = {**request.query, **{key: str(value) for key, value in (await request.post()).items()}}
        account = self._use(form.get("sessionid", ""))
        if account is None:
            return _unknown_session()
        listener = _of_market(account, form.get("symbols", "").split(","), form.get("filter", "").split(","))
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        with self._listening(listener, request), contextlib.suppress(ConnectionError):
            while True:
                await response.write((json.dumps(await listener.queue.get()) + "\n").encode())
        return response

    async def account(self, request: web.Request) -> web.StreamResponse:
        return await self._socket(request)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        """The first message names the session, and what of the market is wanted."""
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        first = await socket.receive()
        asked = _object(first.data) if first.type is WSMsgType.TEXT else {}
        account = self._use(str(asked.get("sessionid", "")))
        if account is None:
            await socket.send_str(json.dumps({"error": "Session not found"}))
            await socket.close()
            return socket
        of_market = request.path.startswith("/v1/markets")
        wanted = (_names(asked.get("symbols")), _names(asked.get("filter")))
        listener = _of_market(account, *wanted) if of_market else Listener(account)
        with self._listening(listener, request):
            writer = asyncio.create_task(_write(socket, listener, heartbeats=not of_market))
            async for _ in socket:
                pass
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return socket

    @contextlib.contextmanager
    def _listening(self, listener: Listener, request: web.Request) -> Iterator[None]:
        listener.transport = request.transport
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def _use(self, name: str) -> Account | None:
        until, account = self._sessions.pop(name, (0.0, None))
        return account if asyncio.get_running_loop().time() < until else None

    # what is told

    def _publish(self, event: OrderEvent) -> None:
        if self._venue.faults.mute_streams:
            return
        row = order_row(self._venue.exchange, event.order, tags=True)
        told = {
            "id": row["id"],
            "event": "order",
            "status": row["status"],
            "type": row["type"],
            "price": row.get("price", 0.0),
            "stop_price": row.get("stop_price", 0.0),
            "avg_fill_price": row["avg_fill_price"],
            "executed_quantity": row["exec_quantity"],
            "last_fill_quantity": float(event.fill.qty) if event.fill else 0.0,
            "last_fill_price": float(event.fill.price) if event.fill else 0.0,
            "remaining_quantity": row["remaining_quantity"],
            "transaction_date": rfc3339(event.at_ms),
            "create_date": row["create_date"],
            "account": number_of_digest(self._venue.exchange.accounts[event.order.account].key_id),
            **({"tag": row["tag"]} if "tag" in row else {}),
        }
        for listener in self._listeners:
            if listener.account.id == event.order.account and not listener.kinds:
                listener.put(told)

    def tell_market(self, now_ms: int) -> None:
        """The present quote and trade of every symbol that somebody listens to."""
        if self._venue.faults.mute_streams or not self._venue.view.is_open(now_ms):
            return
        for listener in self._listeners:
            for name in listener.symbols:
                if name in self._venue.market.index:
                    for event in _events(quote(self._venue, name, now_ms), listener.kinds):
                        listener.put(event)


def _events(row: Json, kinds: frozenset[str]) -> list[Json]:
    told: list[Json] = []
    name = row["symbol"]
    if "quote" in kinds:
        sides: Json = {}
        for side in ("bid", "ask"):
            sides |= {side: row[side], f"{side}sz": row[f"{side}size"], f"{side}exch": row[f"{side}exch"]}
            sides[f"{side}date"] = str(row[f"{side}_date"])
        told.append({"type": "quote", "symbol": name, **sides})
    if "trade" in kinds:
        texts = {"price": "last", "size": "last_volume", "cvol": "volume", "date": "trade_date", "last": "last"}
        shown = {ours: str(row[theirs]) for ours, theirs in texts.items()}
        told.append({"type": "trade", "symbol": name, "exch": row["exch"], **shown})
    if "summary" in kinds:
        prices = {each: str(row[each]) for each in ("open", "high", "low")}
        told.append({"type": "summary", "symbol": name, **prices, "prevClose": str(row["prevclose"])})
    return told


async def _write(socket: web.WebSocketResponse, listener: Listener, *, heartbeats: bool) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            try:
                told = await asyncio.wait_for(listener.queue.get(), HEARTBEAT_S)
            except TimeoutError:
                if not heartbeats:
                    continue
                told = {"event": "heartbeat", "status": "active"}
            await socket.send_str(json.dumps(told))


def _of_market(account: Account, symbols: list[str], kinds: list[str]) -> Listener:
    return Listener(account, tuple(filter(None, symbols)), frozenset(kinds) & _KINDS or _KINDS)


def _names(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _object(text: str) -> Json:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _unknown_session() -> web.Response:
    return web.Response(text="Session not found", status=400)
