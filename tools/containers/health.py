"""Whether a container's process does its work: `python -m tools.containers.health web`; exit code 0 or 1."""

import sys
import urllib.error
import urllib.request

from tbot_bot.interface import SystemClock
from tbot_bot.interface.published import Published
from tbot_bot.support.path_resolver import Paths, root_from_environment

ADDRESSES = {"web": "http://127.0.0.1:8080/health", "paper": "http://127.0.0.1:8090/v2/clock"}
SNAPSHOTS = {"provisioning": "system", "bot": "status", "backup": "backups"}
"""What each publishes from its working loop: an old one means that the loop stands still."""


def healthy(name: str) -> bool:
    if name in ADDRESSES:
        return _answers(ADDRESSES[name])
    snapshot = Published(Paths(root_from_environment()), SystemClock()).read(SNAPSHOTS[name])
    return snapshot is not None and not snapshot.stale


def _answers(address: str) -> bool:
    """Any answer of the server counts; the paper venue refuses who shows no key."""
    try:
        with urllib.request.urlopen(address, timeout=4):  # noqa: S310 - our own loopback
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(not healthy(sys.argv[1]))
