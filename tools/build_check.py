"""Check keys, secrets, settings and universe before a session: `python -m tools.build_check`.

Exit 0 only when all is well. It reads, and changes nothing; runner and runtime make the same check themselves."""

import sys
from datetime import UTC, datetime, timedelta

from tbot_bot.config.build_check import check as check_build
from tbot_bot.config.readiness import notes, readiness
from tbot_bot.domain.errors import TbotError, UniverseUnusable
from tbot_bot.reporting.audit_verify import verify
from tbot_bot.screeners.universe_file import load
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths, root_from_environment

_EVER = datetime.max.replace(tzinfo=UTC)


def check(paths: Paths) -> tuple[str, ...]:
    """Problems in sentences; empty when a session may begin. The universe's age is the runtime's to judge: it alone
    knows the market's time."""
    ready = readiness(paths, SystemClock().now(), lambda: _audit_problem(paths))
    return (*check_build(paths, lambda: _universe_faults(paths)), *ready)


def main() -> int:
    paths = Paths(root=root_from_environment())
    problems = check(paths)
    for problem in problems:
        print(f"- {problem}")
    for note in _notes(paths):
        print(f"  note: {note}")
    print(f"build check of {paths.root}: {f'{len(problems)} problems' if problems else 'OK'}")
    return 1 if problems else 0


def _notes(paths: Paths) -> tuple[str, ...]:
    """None when they cannot be looked for: then the problems say so already."""
    try:
        return notes(paths, SystemClock().now())
    except OSError:
        return ()


def _audit_problem(paths: Paths) -> str:
    try:
        return verify(paths).problem or ""
    except (TbotError, OSError) as error:
        return str(error)


def _universe_faults(paths: Paths) -> tuple[str, ...]:
    try:
        load(paths.universe, _EVER, timedelta.max)
    except UniverseUnusable as error:
        return (str(error),)
    return ()


if __name__ == "__main__":
    sys.exit(main())
