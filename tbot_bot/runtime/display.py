"""What the bot shows of itself: snapshots for the web, and the line of `systemctl status`."""

from tbot_bot.runtime.cadence import Turns
from tbot_bot.runtime.compose import Trading
from tbot_bot.runtime.day import Day
from tbot_bot.runtime.desk import StreamChanged
from tbot_bot.runtime.views import DayViews, idle_status, status_line
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.process import Process
from tbot_bot.support.snapshot import Publisher

log = get_logger("trader")
EVERY = 0.5
"""Real seconds between two showings."""


class Display:
    """`stream_changed` keeps what a stream last said of itself; the rest is asked of whoever knows, each time."""

    def __init__(self, paths: Paths, publisher: Publisher, process: Process) -> None:
        self._paths = paths
        self._publisher = publisher
        self._process = process
        self._views = DayViews(publisher)
        self._turns = Turns()
        self._streams: dict[str, StreamChanged] = {}

    def stream_changed(self, message: StreamChanged) -> None:
        self._streams[message.name] = message
        log.info("stream", extra={"fields": {"name": message.name, "connected": message.connected}})

    def show_due(self, desk: Trading | None, day: Day | None, why: str) -> None:
        if self._turns.due("show", EVERY):
            self.show(desk, day, why)

    def show(self, desk: Trading | None, day: Day | None, why: str) -> None:
        """Now. A full disk blinds the dashboard; it must not stop exits."""
        lines = self._process.tail.lines()
        try:
            if desk is None:
                status = idle_status(self._paths, why)
                self._publisher.publish("status", status)
                self._publisher.publish("log", {"lines": lines})
            else:
                status = self._views.publish(desk, day, why, tuple(self._streams.values()), lines)
            self._process.notify.status(status_line(status))
        except OSError as error:
            log.error("nothing could be published", extra={"fields": {"why": error.strerror}})
