"""Each request is acted on once: its id is on disk before anything is done, and a second one is refused."""

from datetime import datetime, timedelta

from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import LineLog, ensure_folder, read_lines, write_bytes
from tbot_bot.support.envelope import Request
from tbot_bot.support.path_resolver import Paths

EXPIRY = timedelta(seconds=60)
_FUTURE = timedelta(seconds=5)
_REMEMBERED = timedelta(minutes=10)
_MAX_LINES = 5000


class ReplayGuard:
    """Fresh means: at most 60 s old, not from the future, never seen. Ids are remembered ten times as long as a request
    lives, so that setting the clock back by a few minutes revives none."""

    def __init__(self, paths: Paths, clock: Clock) -> None:
        self._path = paths.runner_private / "seen.jsonl"
        self._clock = clock
        ensure_folder(self._path.parent)
        self._seen = {str(row["id"]): _moment(row) for row in read_lines(self._path) if "id" in row and "at" in row}
        self._log = self._compacted()

    def objection(self, request: Request) -> str | None:
        """Why this request must not be acted on; None when it is fresh, and then it counts as seen, durably."""
        now = self._clock.now()
        if request.id in self._seen:
            return "it was sent before (replay)"
        if now - request.at > EXPIRY:
            return "it is older than 60 s"
        if request.at - now > _FUTURE:
            return "it is dated in the future; compare the clocks"
        self._log.append({"id": request.id, "at": now.isoformat()})
        self._seen[request.id] = now
        self._lines += 1
        if self._lines > _MAX_LINES:
            earlier, self._log = self._log, self._compacted()
            earlier.close()
        return None

    def close(self) -> None:
        self._log.close()

    def _compacted(self) -> LineLog:
        """The log without what can no longer be replayed. Whole or not at all, like every write."""
        oldest = self._clock.now() - _REMEMBERED
        self._seen = {number: at for number, at in self._seen.items() if at > oldest}
        lines = "".join(f'{{"at":"{at.isoformat()}","id":"{number}"}}\n' for number, at in self._seen.items())
        write_bytes(self._path, lines.encode())
        self._lines = 0
        return LineLog(self._path)


def _moment(row: dict[str, str]) -> datetime:
    return datetime.fromisoformat(row["at"])
