"""First provisioning without a browser: `python -m tools.encrypt_env_bot [FILE]`.

Seals the staged `.env_bot` (default: at the root) to the running provisioning runner, waits until it is encrypted, and
removes the plaintext. It makes no key and writes no secret itself, and works only before the first provisioning:
afterwards settings change on the configuration page."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tbot_bot.config.env_bot import summary
from tbot_bot.config.env_file import parse_env_text
from tbot_bot.domain.session import BotState
from tbot_bot.interface.published import Published
from tbot_bot.interface.requests import Courier
from tbot_bot.interface.state import current_state
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths, root_from_environment

_WAIT_SECONDS = 60.0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Seal a staged .env_bot for the first provisioning.")
    parser.add_argument("file", nargs="?", type=Path, help="the staged file (default: .env_bot at the root)")
    options = parser.parse_args(argv)
    paths = Paths(root=root_from_environment())
    problem = provision(paths, options.file or paths.root / ".env_bot")
    print(problem or "The configuration is encrypted and the plaintext file removed. Register the first user now.")
    return 1 if problem else 0


def provision(paths: Paths, staged: Path) -> str | None:
    """What went wrong, in words; None when the file is encrypted and gone."""
    if current_state(paths) is not BotState.INITIALIZE:
        return "Refused: this works only before the first provisioning, with the runner running. Use the web page."
    try:
        read = parse_env_text(staged.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return f"{staged.name} cannot be read: {error}"
    if read.faults:
        return summary(read.faults)
    clock = SystemClock()
    reply = Courier(paths, clock).ask("provision", {"values": dict(read.values)}, token=None, ip="shell")
    if not reply.ok:
        return "\n".join([reply.message, *(f"- {fault['key']}: {fault['message']}" for fault in reply.faults)])
    problem = _wait(paths, Published(paths, clock))
    if problem is None:
        staged.unlink()
    return problem


def _wait(paths: Paths, published: Published) -> str | None:
    """None once the bot is idle; otherwise the failed step."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        if current_state(paths) is BotState.IDLE:
            return None
        snapshot = published.read("provisioning")
        if snapshot is not None and snapshot.body["state"] == "failed":
            failed = next(step for step in snapshot.body["steps"] if step["status"] == "failed")
            return f"Failed at: {failed['title']}. {failed['why']} {failed['fix']}"
        time.sleep(0.1)
    return "The runner has accepted the file but is not done yet; look at its log. The plaintext file is still there."


if __name__ == "__main__":
    sys.exit(main())
