"""A wire protocol over the venue: the exchange is one, its faces differ."""

from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from tbot_bot.paper import (
    rest_account,
    rest_assets,
    rest_data,
    rest_markets,
    rest_orders,
    rest_positions,
    rest_reference,
    rest_watchlists,
    stream_data,
    stream_trading,
)
from tbot_bot.paper.plans import PLANS, Budget
from tbot_bot.paper.stream_data import DataStream
from tbot_bot.paper.stream_hub import drop, subscribed
from tbot_bot.paper.stream_trading import TradingStream
from tbot_bot.paper.venue import Venue
from tbot_bot.paper.web import DATA_BUDGET, FATAL, MAX_BODY, TRADING_BUDGET, VENUE, guard
from tbot_bot.support.clock import SystemClock

QUOTES_EVERY_STEPS = 7
SHUTDOWN_S = 1.0
Fail = Callable[[BaseException], None]


class Face(Protocol):
    """Made for a venue that is ready; everything runs in the server's event loop."""

    async def start(self, host: str, port: int) -> int:
        """Listens; returns the real port. Raises OSError for a taken one."""
        ...

    def move(self, now_ms: int, real_s: float, step: int) -> None:
        """Tells what the market did; called some 25 times a real second, after the exchange was brought to `now_ms`."""
        ...

    def drop(self) -> int:
        """Cuts every long-lived connection, as a failing network does; returns how many."""
        ...

    def listeners(self) -> int:
        """How many clients have logged in and listen to something."""
        ...

    async def stop(self) -> None: ...


FaceMaker = Callable[[Venue, Fail], Face]
"""`fail` ends the venue: what it knows may be ahead of the disk then."""


class AlpacaFace:
    """Alpaca's REST and both its streams on one port."""

    def __init__(self, venue: Venue, fail: Fail) -> None:
        self._data, self._trading = DataStream(venue), TradingStream(venue)
        venue.exchange.listen(self._trading.publish)
        app = web.Application(middlewares=[guard], client_max_size=MAX_BODY)
        app[VENUE] = venue
        app[FATAL] = fail
        plan, wall = PLANS[venue.settings.plan], SystemClock().now
        app[TRADING_BUDGET] = Budget(plan.trading_requests, lambda: venue.clock.speed, wall)
        app[DATA_BUDGET] = Budget(plan.data_requests, lambda: venue.clock.speed, wall)
        for part in (
            rest_account,
            rest_assets,
            rest_orders,
            rest_positions,
            rest_watchlists,
            rest_reference,
            rest_data,
            rest_markets,
        ):
            part.add_routes(app)
        stream_data.add_routes(app, self._data)
        stream_trading.add_routes(app, self._trading)
        self._site = HttpSite(app)

    async def start(self, host: str, port: int) -> int:
        return await self._site.start(host, port)

    def move(self, now_ms: int, real_s: float, step: int) -> None:
        self._data.send_bars(now_ms)
        if step % QUOTES_EVERY_STEPS == 0:
            self._data.send_quotes(now_ms, real_s)

    def drop(self) -> int:
        return drop(self._data.clients) + drop(self._trading.clients)

    def listeners(self) -> int:
        return subscribed(self._data.clients) + subscribed(self._trading.clients)

    async def stop(self) -> None:
        await self._site.stop()


class HttpSite:
    """An aiohttp application listening on one port."""

    def __init__(self, app: web.Application) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)

    async def start(self, host: str, port: int) -> int:
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        await self._runner.cleanup()
