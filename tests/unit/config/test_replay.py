from datetime import UTC, datetime, timedelta
from pathlib import Path

from tbot_bot.config.replay import ReplayGuard
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.envelope import Request
from tbot_bot.support.path_resolver import Paths

NOW = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def _request(number: int, at: datetime = NOW) -> Request:
    return Request("login", f"{number:032x}", at, "::1", bytes(32), None, {})


def test_a_request_is_fresh_once(tmp_path: Path) -> None:
    guard = ReplayGuard(Paths(tmp_path), ManualClock(NOW))

    assert guard.objection(_request(1)) is None
    assert "replay" in str(guard.objection(_request(1)))
    assert guard.objection(_request(2)) is None
    guard.close()


def test_old_and_future_requests_are_refused(tmp_path: Path) -> None:
    guard = ReplayGuard(Paths(tmp_path), ManualClock(NOW))

    assert guard.objection(_request(1, NOW - timedelta(seconds=60))) is None
    assert "older" in str(guard.objection(_request(2, NOW - timedelta(seconds=61))))
    assert "future" in str(guard.objection(_request(3, NOW + timedelta(seconds=6))))
    guard.close()


def test_a_restart_remembers_and_a_torn_line_does_not_hurt(tmp_path: Path) -> None:
    paths, clock = Paths(tmp_path), ManualClock(NOW)
    guard = ReplayGuard(paths, clock)
    guard.objection(_request(1))
    guard.close()
    with (paths.runner_private / "seen.jsonl").open("ab") as file:
        file.write(b'{"id":"2')

    guard = ReplayGuard(paths, clock)

    assert "replay" in str(guard.objection(_request(1)))
    guard.close()


def test_setting_the_clock_back_revives_no_request(tmp_path: Path) -> None:
    paths, clock = Paths(tmp_path), ManualClock(NOW)
    guard = ReplayGuard(paths, clock)
    guard.objection(_request(1))
    guard.close()
    clock.advance(timedelta(minutes=5))
    ReplayGuard(paths, clock).close()
    clock.advance(timedelta(minutes=-5))

    guard = ReplayGuard(paths, clock)
    assert "replay" in str(guard.objection(_request(1)))
    guard.close()


def test_the_past_is_forgotten_so_that_the_file_stays_small(tmp_path: Path) -> None:
    paths, clock = Paths(tmp_path), ManualClock(NOW)
    guard = ReplayGuard(paths, clock)
    guard.objection(_request(1))
    guard.close()
    clock.advance(timedelta(minutes=11))

    ReplayGuard(paths, clock).close()

    assert (paths.runner_private / "seen.jsonl").read_bytes() == b""
