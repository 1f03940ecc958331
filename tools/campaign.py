"""Fault campaigns: `python -m tools.campaign [--part NAME] --size small|full`.

Each part ends with one line `campaign NAME: points=N violations=N seconds=S`. Exit 1 when anything was violated."""

import argparse
import sys
from collections.abc import Callable, Mapping

from tbot_bot.support.path_resolver import Paths, root_from_environment
from tools.campaign_audit import audit_campaign
from tools.campaign_inbox import inbox_campaign
from tools.campaign_kill import kill_campaign
from tools.campaign_orders import orders_campaign
from tools.campaign_simulation import simulation_campaign
from tools.campaign_storage import storage_campaign
from tools.campaign_units import units_campaign
from tools.campaign_venue import venue_campaign
from tools.figures import Campaign, report_campaign

PARTS: Mapping[str, Callable[[str, int], Campaign]] = {
    "audit": audit_campaign,
    "kill": kill_campaign,
    "inbox": inbox_campaign,
    "venue": venue_campaign,
    "simulation": simulation_campaign,
    "orders": orders_campaign,
    "storage": storage_campaign,
    "units": units_campaign,
}
"""Name → (size, seed) → what was found."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools.campaign")
    parser.add_argument("--part", choices=sorted(PARTS), help="this part only")
    parser.add_argument("--size", choices=("small", "full"), default="full")
    parser.add_argument("--seed", type=int, default=1, help="the same seed tries the same faults")
    arguments = parser.parse_args()
    paths = Paths(root_from_environment())
    violated = False
    for name in [arguments.part] if arguments.part else list(PARTS):
        found = PARTS[name](arguments.size, arguments.seed)
        report_campaign(paths, found)
        violated = violated or bool(found.violations)
    return 1 if violated else 0


if __name__ == "__main__":
    sys.exit(main())
