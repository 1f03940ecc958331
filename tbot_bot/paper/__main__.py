"""The paper venue's process: a market and a broker on loopback, from options and the environment's port."""

import argparse
import asyncio
import os
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

from tbot_bot.domain.money import parse_decimal
from tbot_bot.paper.plans import PLANS
from tbot_bot.paper.server import PaperServer, serve
from tbot_bot.paper.settings import VenueSettings
from tbot_bot.support.path_resolver import Paths, root_from_environment
from tbot_bot.support.process import Process, run


def _decimal(text: str) -> Decimal:
    value = parse_decimal(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def settings_from(arguments: list[str]) -> VenueSettings:
    """The venue's settings; exits with words on a bad option. Raises ConfigInvalid for values out of range."""
    parser = argparse.ArgumentParser(prog="tbot_bot.paper")
    parser.add_argument("--speed", type=_decimal, default=Decimal(1), help="market seconds per real second")
    parser.add_argument("--seed", type=int, default=7, help="seed of the synthetic market")
    parser.add_argument("--symbols", type=int, default=600, help="size of the synthetic market")
    parser.add_argument("--replay", type=Path, help="Parquet file of minute bars to replay")
    parser.add_argument("--session", type=date.fromisoformat, help="first session, YYYY-MM-DD")
    parser.add_argument("--hold", action="store_true", help="stand still until the admin port says run")
    parser.add_argument("--plan", choices=sorted(PLANS), default="open", help="rate and stream limits of accounts")
    parser.add_argument("--match-latency-ms", type=int, default=20, help="market time until an order can trade")
    parser.add_argument("--report-latency-ms", type=int, default=0, help="market time until an event is told")
    given = parser.parse_args(arguments)
    port = int(os.environ.get("TBOT_PAPER_PORT", "8090"))
    return VenueSettings(
        state_dir=Paths(root_from_environment()).paper,
        port=port,
        admin_port=port + 1,
        market="replay" if given.replay else "synthetic",
        replay_file=given.replay,
        seed=given.seed,
        speed=given.speed,
        symbols=given.symbols,
        session=given.session,
        hold=given.hold,
        match_latency_ms=given.match_latency_ms,
        report_latency_ms=given.report_latency_ms,
        plan=given.plan,
    )


BEAT_SECONDS = 1.0


def main(process: Process) -> None:
    """The venue ends by itself on SIGTERM and SIGINT."""

    def ready(server: PaperServer) -> None:
        process.notify.ready()
        beat(server)

    def beat(server: PaperServer) -> None:
        """From the loop that moves the market; a market that no longer moves feeds nothing."""
        process.notify.beat()
        asyncio.get_running_loop().call_later(BEAT_SECONDS, beat, server)

    asyncio.run(serve(settings_from(sys.argv[1:]), ready))


if __name__ == "__main__":
    sys.exit(run("paper", main))
