"""The paper venue: orders a second through REST and in its core, a step with resting orders, its order stream."""

import asyncio
import http.client
import json
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import aiohttp
from aiohttp import web

from tbot_bot.paper import stream_trading
from tbot_bot.paper.book import OrderEvent
from tbot_bot.paper.orders import NewOrder, read_order
from tbot_bot.paper.refusal import Refusal
from tbot_bot.paper.settings import VenueSettings
from tbot_bot.paper.stream_trading import TradingStream
from tbot_bot.paper.venue import Venue, build_venue
from tools.figures import Measure
from tools.stopwatch import medians, timed
from tools.venue_process import HEADERS, KEY, SECRET, VenueProcess

CONNECTIONS = 8
REST_ORDERS = 800
CORE_ORDERS = 1000
RESTING = 1000
LISTENERS = 10
MESSAGES = 1000
LISTED = 600
STEP_MS = 40
ROUNDS = 5


def venue_bench(folder: Path) -> tuple[Measure, ...]:
    """Orders through REST are beside bare questions for the clock, the core's beside as many bare durable writes."""
    return (_rest(folder), *_core(folder / "core"), asyncio.run(_fan_out(folder / "stream")))


def _rest(folder: Path) -> Measure:
    venue = VenueProcess(folder, 1, LISTED)
    venue.start()
    try:
        venue.open_market()
        port = int(venue.url.rpartition(":")[2])
        orders = timed(lambda: _ask(port, "POST", "/v2/orders"))
        clocks = timed(lambda: _ask(port, "GET", "/v2/clock"))
    finally:
        venue.end()
    return Measure("venue_rest_orders", REST_ORDERS / orders, REST_ORDERS / clocks, "1/s", "bare_clock_requests")


def _ask(port: int, method: str, path: str) -> None:
    """So many requests over all connections at once. Raises RuntimeError for an answer that is no success."""

    def one(connection: int) -> None:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {**HEADERS, "Content-Type": "application/json"}
        for turn in range(REST_ORDERS // CONNECTIONS):
            body = json.dumps(_order(f"{connection}-{turn}")) if method == "POST" else None
            link.request(method, path, body, headers)
            answer = link.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]!r}")
        link.close()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(one, range(CONNECTIONS)))


def _order(name: str, **more: str) -> dict[str, str]:
    return {
        "symbol": "SPY",
        "qty": "0.01",
        "side": "buy",
        "type": "market",
        "time_in_force": "day",
        "client_order_id": name,
    } | more


def _open_venue(folder: Path) -> Venue:
    venue = build_venue(
        VenueSettings(folder, symbols=LISTED, hold=True, match_latency_ms=0, opening_cash=Decimal(10) ** 9)
    )
    venue.exchange.advance(venue.view.days[0].open_ms + 1)
    return venue


def _core(folder: Path) -> tuple[Measure, ...]:
    venue = _open_venue(folder)
    try:
        account = venue.authenticate(KEY, SECRET)
        assert account is not None
        exchange = venue.exchange

        def submit(body: dict[str, str]) -> None:
            new = read_order(body)
            assert isinstance(new, NewOrder)
            found = venue.admission.submit(account, new, exchange.matched_ms)
            assert not isinstance(found, Refusal), found

        def trade() -> None:
            for turn in range(CORE_ORDERS):
                submit(_order(f"core-{turn}"))
                exchange.advance(exchange.matched_ms + 1)

        orders = timed(trade)
        writes = timed(_durable_writes(folder / "reference.db"))
        assert len(exchange.fills) == CORE_ORDERS
        names = [item.symbol for item in venue.market.instruments if item.tradable]
        for turn in range(RESTING):
            submit(_order(f"rest-{turn}", symbol=names[turn % len(names)], qty="1", type="limit", limit_price="0.01"))

        def step() -> None:
            exchange.advance(exchange.matched_ms + STEP_MS)

        stepped, looped = medians(step, lambda: [order.remaining for order in exchange.open.values()], ROUNDS * 5)
    finally:
        venue.store.close()
    return (
        Measure("venue_core_orders", CORE_ORDERS / orders, CORE_ORDERS / writes, "1/s", "two_durable_writes"),
        Measure("venue_step_1000_resting", stepped * 1000, looped * 1000, "ms", "loop_over_the_orders"),
    )


def _durable_writes(path: Path) -> Callable[[], None]:
    """As many commits as orders accepted and filled need, of a row each."""

    def write() -> None:
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("CREATE TABLE rows (data TEXT)")
        for _ in range(2 * CORE_ORDERS):
            db.execute("INSERT INTO rows VALUES (?)", ("x" * 900,))
        db.close()

    return write


async def _fan_out(folder: Path) -> Measure:
    """Messages a second of the order stream over all its listeners, beside bare sockets that send the same bytes."""
    venue = _open_venue(folder)
    try:
        account = venue.authenticate(KEY, SECRET)
        assert account is not None
        new = read_order(_order("told"))
        assert isinstance(new, NewOrder)
        events: list[OrderEvent] = []
        venue.exchange.listen(events.append)
        venue.admission.submit(account, new, venue.exchange.matched_ms)
        venue.exchange.advance(venue.exchange.matched_ms + STEP_MS)
        stream = TradingStream(venue)
        app = web.Application()
        stream_trading.add_routes(app, stream)
        frames: list[bytes] = []
        ours = await _heard(app, lambda: stream.publish(events[-1]), frames)
    finally:
        venue.store.close()
    bare = web.Application()
    sockets: list[web.WebSocketResponse] = []

    async def accept(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        sockets.append(socket)
        async for _ in socket:
            await socket.send_bytes(b"{}")
        return socket

    bare.router.add_get("/stream", accept)
    told: list[asyncio.Task[None]] = []

    def send() -> None:
        told.append(asyncio.create_task(_send_all(sockets, frames[-1])))

    theirs = await _heard(bare, send, [])
    await asyncio.gather(*told)
    count = MESSAGES * LISTENERS
    return Measure("venue_stream_messages", count / ours, count / theirs, "1/s", "bare_websockets")


async def _send_all(sockets: list[web.WebSocketResponse], frame: bytes) -> None:
    for socket in sockets:
        await socket.send_bytes(frame)


async def _heard(app: web.Application, publish: Callable[[], None], frames: list[bytes]) -> float:
    """Seconds until every listener has heard every message. `frames` gets the last one."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/stream"
    async with aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(address) for _ in range(LISTENERS)]
        for socket in sockets:
            for message in (
                {"action": "authenticate", "key_id": KEY, "secret_key": SECRET},
                {"action": "listen", "data": {"streams": [stream_trading.CHANNEL]}},
            ):
                await socket.send_json(message)
                await socket.receive(30)

        async def hear(socket: aiohttp.ClientWebSocketResponse) -> bytes:
            frame = b""
            for _ in range(MESSAGES):
                frame = (await socket.receive(30)).data
            return frame

        began = time.perf_counter()
        hearing = [asyncio.create_task(hear(socket)) for socket in sockets]
        for turn in range(MESSAGES):
            publish()
            if turn % 50 == 49:
                await asyncio.sleep(0)
        frames += await asyncio.gather(*hearing)
        taken = time.perf_counter() - began
        for socket in sockets:
            await socket.close()
    await runner.cleanup()
    return taken
