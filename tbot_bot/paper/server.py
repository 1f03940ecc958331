"""The venue as a process: public port (REST and streams), admin port, and the loop that moves the market."""

import asyncio
import logging
import signal
import threading
from collections.abc import Callable

from aiohttp import web

from tbot_bot.paper import rest_data, rest_trading, stream_data, stream_trading
from tbot_bot.paper.admin import Admin
from tbot_bot.paper.market import SessionBars
from tbot_bot.paper.settings import VenueSettings
from tbot_bot.paper.stream_data import DataStream
from tbot_bot.paper.stream_hub import drop, subscribed
from tbot_bot.paper.stream_trading import TradingStream
from tbot_bot.paper.venue import Venue, build_venue
from tbot_bot.paper.web import FATAL, MAX_BODY, VENUE, guard

STEP_S = 0.04
QUOTES_EVERY_STEPS = 7
SHUTDOWN_S = 1.0
log = logging.getLogger(__name__)


class PaperServer:
    """One venue listening. `port` and `admin_port` are the real ones once `start` has returned."""

    def __init__(self, settings: VenueSettings) -> None:
        self._settings = settings
        self.ended = asyncio.Event()
        self.failure: BaseException | None = None
        self.port = settings.port
        self.admin_port = settings.admin_port
        self._runners: list[web.AppRunner] = []
        self._loop_task: asyncio.Task[None] | None = None
        self._preparation: asyncio.Task[SessionBars] | None = None
        self.venue: Venue | None = None

    async def start(self) -> None:
        """Opens the state, then both ports. Raises OSError for a taken port, DataInvalid, ConfigInvalid."""
        venue = self.venue = build_venue(self._settings)
        data, trading = DataStream(venue), TradingStream(venue)
        venue.exchange.listen(trading.publish)
        app = web.Application(middlewares=[guard], client_max_size=MAX_BODY)
        app[VENUE] = venue
        app[FATAL] = self.fail
        rest_trading.add_routes(app)
        rest_data.add_routes(app)
        stream_data.add_routes(app, data)
        stream_trading.add_routes(app, trading)
        venue.sync()
        self.port = await self._listen(app, self._settings.port)
        streams = (data.clients, trading.clients)
        admin = Admin(venue, lambda: sum(map(drop, streams)), lambda: sum(map(subscribed, streams)))
        self.admin_port = await self._listen(admin.app(), self._settings.admin_port)
        self._loop_task = asyncio.create_task(self._move(venue, data))
        self._loop_task.add_done_callback(self._moved)
        log.info("paper venue on %s:%d, admin port %d", self._settings.host, self.port, self.admin_port)

    async def _listen(self, app: web.Application, port: int) -> int:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, self._settings.host, port).start()
        return int(runner.addresses[0][1])

    async def _move(self, venue: Venue, data: DataStream) -> None:
        """Steps the market several times a real second and has the next session made beside it."""
        loop, step, prepared = asyncio.get_running_loop(), 0, -1
        while True:
            now = venue.sync()
            data.send_bars(now)
            if step % QUOTES_EVERY_STEPS == 0:
                data.send_quotes(now, loop.time())
            step += 1
            today = venue.view.position(now)
            if today != prepared and today + 1 < len(venue.view.days):
                prepared = today
                following = venue.view.days[today + 1].day
                self._preparation = asyncio.create_task(asyncio.to_thread(venue.market.session, following))
            await asyncio.sleep(STEP_S)

    def _moved(self, task: asyncio.Task[None]) -> None:
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            self.fail(failure)

    def fail(self, failure: BaseException) -> None:
        """Ends the venue: what it knows may be ahead of the disk, so it has to start again from there."""
        self.failure = self.failure or failure
        self.ended.set()

    async def stop(self) -> None:
        if self._loop_task is not None:
            self._loop_task.cancel()
            await asyncio.gather(self._loop_task, return_exceptions=True)
        if self._preparation is not None:
            await asyncio.gather(self._preparation, return_exceptions=True)
        for runner in self._runners:
            await runner.cleanup()
        if self.venue is not None:
            self.venue.store.close()


async def serve(settings: VenueSettings, ready: Callable[[PaperServer], None] | None = None) -> None:
    """Runs a venue until it is cancelled, told to end by SIGTERM or SIGINT, or its database fails; closes cleanly.

    `ready` is called once both ports answer. Raises ConfigInvalid, DataInvalid, OSError (a taken port), sqlite3.Error.
    """
    server = PaperServer(settings)
    if threading.current_thread() is threading.main_thread():
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, server.ended.set)
    try:
        await server.start()
        if ready is not None:
            ready(server)
        await server.ended.wait()
    finally:
        await server.stop()
    if server.failure is not None:
        raise server.failure
