"""Waking up when a file arrives: inotify through watchdog, and a time limit behind it, so that a lost event costs
latency and never correctness."""

import threading
from collections.abc import Iterable
from pathlib import Path

from watchdog.events import FileClosedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from tbot_bot.support.logs import get_logger

_log = get_logger("doorbell")


class Doorbell(FileSystemEventHandler):
    """Rings when a file in one of the folders was written and closed.

    Our writers close the temporary file a moment before they rename it, so whoever is woken looks twice. (Watching for
    renames instead would make watchdog hold back every event for half a second after each claim.)"""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._rung = threading.Event()
        self._observer = Observer()
        try:
            for folder in folders:
                self._observer.schedule(self, str(folder), event_filter=[FileClosedEvent])
            self._observer.start()
        except OSError as error:
            _log.warning("cannot watch folders, polling instead", extra={"fields": {"why": error.strerror}})

    def on_closed(self, event: FileSystemEvent) -> None:
        self._rung.set()

    def ring(self) -> None:
        """Wake the waiter from any thread."""
        self._rung.set()

    def wait(self, seconds: float) -> bool:
        """True when it rang since the last wait; False after `seconds`."""
        rung = self._rung.wait(seconds)
        self._rung.clear()
        return rung

    def close(self) -> None:
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join()
