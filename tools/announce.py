"""Says in the terminal where the web UI is, once it answers."""

import os
import sys
import time

import requests

WAIT_SECONDS = 60


def main() -> int:
    address = f"http://127.0.0.1:{os.environ.get('TBOT_WEB_PORT', '8080')}"
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        try:
            if requests.get(f"{address}/health", timeout=2).ok:
                print(
                    f"\n  tbot runs: {address}\n  Ctrl-C stops it; state is kept for the next run.\n",
                    flush=True,
                )
                return 0
        except requests.ConnectionError:
            time.sleep(0.2)
    print(f"The web UI did not answer at {address}; look at output/logs/web.log", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
