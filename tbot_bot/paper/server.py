"""The venue as a process: public port (one face), admin port, and the loop that moves the market."""

import asyncio
import logging
import signal
import threading
from collections.abc import Callable

from tbot_bot.paper.admin import Admin
from tbot_bot.paper.face import AlpacaFace, Face, FaceMaker, HttpSite
from tbot_bot.paper.market import SessionBars
from tbot_bot.paper.settings import VenueSettings
from tbot_bot.paper.venue import Venue, build_venue

STEP_S = 0.04
log = logging.getLogger(__name__)


class PaperServer:
    """One venue listening. `port` and `admin_port` are the real ones once `start` has returned."""

    def __init__(self, settings: VenueSettings, face: FaceMaker = AlpacaFace) -> None:
        self._settings = settings
        self._make_face = face
        self.ended = asyncio.Event()
        self.failure: BaseException | None = None
        self.port = settings.port
        self.admin_port = settings.admin_port
        self._face: Face | None = None
        self._admin: HttpSite | None = None
        self._loop_task: asyncio.Task[None] | None = None
        self._preparation: asyncio.Task[SessionBars] | None = None
        self.venue: Venue | None = None

    async def start(self) -> None:
        """Opens the state, then both ports. Raises OSError for a taken port, DataInvalid, ConfigInvalid."""
        venue = self.venue = build_venue(self._settings)
        face = self._face = self._make_face(venue, self.fail)
        venue.sync()
        self.port = await face.start(self._settings.host, self._settings.port)
        self._admin = HttpSite(Admin(venue, face.drop, face.listeners).app())
        self.admin_port = await self._admin.start(self._settings.host, self._settings.admin_port)
        self._loop_task = asyncio.create_task(self._move(venue, face))
        self._loop_task.add_done_callback(self._moved)
        log.info("paper venue on %s:%d, admin port %d", self._settings.host, self.port, self.admin_port)

    async def _move(self, venue: Venue, face: Face) -> None:
        """Steps the market several times a real second and has the next session made beside it."""
        loop, step, prepared = asyncio.get_running_loop(), 0, -1
        while True:
            now = venue.sync()
            face.move(now, loop.time(), step)
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
        for part in (self._face, self._admin):
            if part is not None:
                await part.stop()
        if self.venue is not None:
            self.venue.store.close()


async def serve(
    settings: VenueSettings, ready: Callable[[PaperServer], None] | None = None, face: FaceMaker = AlpacaFace
) -> None:
    """Runs a venue until it is cancelled, told to end by SIGTERM or SIGINT, or its database fails; closes cleanly.

    `ready` is called once both ports answer. Raises ConfigInvalid, DataInvalid, OSError (a taken port), sqlite3.Error.
    """
    server = PaperServer(settings, face)
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
