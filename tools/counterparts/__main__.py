"""`python -m tools.counterparts FACE --state DIR`: a broker on loopback; says where it listens as one line of JSON."""

import argparse
import asyncio
import importlib
import json
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import cast

from tbot_bot.paper.face import FaceMaker
from tbot_bot.paper.plans import PLANS
from tbot_bot.paper.server import PaperServer, serve
from tbot_bot.paper.settings import VenueSettings

FACES: Mapping[str, tuple[str, str]] = {
    "alpaca": ("tbot_bot.paper.face", "AlpacaFace"),
    "tradier": ("tools.counterparts.tradier.face", "TradierFace"),
    "ib_gateway": ("tools.counterparts.ib_gateway.face", "IbGatewayFace"),
}
"""Name → module and class of what speaks its protocol."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools.counterparts")
    parser.add_argument("face", choices=sorted(FACES))
    parser.add_argument("--state", type=Path, required=True, help="folder of its database")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--admin-port", type=int, default=0)
    parser.add_argument("--speed", type=Decimal, default=Decimal(60), help="market seconds per real second")
    parser.add_argument("--symbols", type=int, default=120)
    parser.add_argument("--seed", type=int, default=7, help="of the synthetic market")
    parser.add_argument("--plan", choices=sorted(PLANS), default="open", help="what accounts are limited to")
    given = parser.parse_args()
    settings = VenueSettings(
        state_dir=given.state,
        port=given.port,
        admin_port=given.admin_port,
        symbols=given.symbols,
        seed=given.seed,
        speed=given.speed,
        hold=True,
        plan=given.plan,
    )
    module, name = FACES[given.face]
    asyncio.run(serve(settings, _announce, cast("FaceMaker", getattr(importlib.import_module(module), name))))
    return 0


def _announce(server: PaperServer) -> None:
    print(json.dumps({"port": server.port, "admin_port": server.admin_port}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
