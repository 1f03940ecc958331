"""kill -9 of the paper venue under load: what it acknowledged must be there afterwards, once."""

import shutil
import tempfile
import threading
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import requests

from tbot_bot.paper.store import Store
from tbot_bot.support.path_resolver import Paths
from tools.figures import Campaign
from tools.venue_process import VenueProcess

KILLS = {"small": 3, "full": 60}
LOAD_SECONDS = 0.6
CLIENTS = 3
SPEED = 120
SYMBOLS = 60
OPENING_CASH = Decimal(100_000)


def venue_campaign(size: str, seed: int) -> Campaign:
    """A point is one order that the venue said it had accepted."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="tbot-venue-"))
    venue = VenueProcess(folder, SPEED, SYMBOLS)
    accepted: list[str] = []
    unclear: list[str] = []
    try:
        for run in range(KILLS[size]):
            venue.start()
            if run == 0:
                venue.open_market()
            _load(venue, f"{seed}-{run}", accepted, unclear)
        venue.start()
    finally:
        venue.end()
    violations = _violations(venue.paths, accepted, unclear)
    shutil.rmtree(folder)
    detail = {"kills": KILLS[size], "unanswered": len(unclear)}
    return Campaign("venue", len(accepted), tuple(violations), time.monotonic() - began, detail)


def _load(venue: VenueProcess, prefix: str, accepted: list[str], unclear: list[str]) -> None:
    """Several clients order as fast as they can until the venue is killed under them."""

    def trade(client: int) -> None:
        with requests.Session() as session:
            session.trust_env = False
            number = 0
            while True:
                name = f"{prefix}-{client}-{number}"
                status = venue.order(session, name)
                if status is None:
                    unclear.append(name)
                    return
                if status == 200:
                    accepted.append(name)
                number += 1

    clients = [threading.Thread(target=trade, args=(n,), daemon=True) for n in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(LOAD_SECONDS)
    venue.kill()
    for client in clients:
        client.join(30)


def _violations(paths: Paths, accepted: list[str], unclear: list[str]) -> list[str]:
    """What the database says after the last kill, against what the clients were told."""
    store = Store(paths.paper)
    try:
        orders, fills, (account, *strangers) = tuple(store.orders()), tuple(store.fills()), tuple(store.accounts())
    finally:
        store.close()
    known = Counter(order.client_order_id for order in orders)
    found = [f"account {stranger.id} was never opened" for stranger in strangers]
    found += [f"accepted order {name} is gone" for name in accepted if name not in known]
    found += [f"order {name} is there {times} times" for name, times in known.items() if times > 1]
    found += [f"order {name} was never sent" for name in set(known) - set(accepted) - set(unclear)]
    executed: dict[str, Decimal] = {}
    for fill in fills:
        executed[fill.order_id] = executed.get(fill.order_id, Decimal(0)) + fill.qty
    for order in orders:
        if order.filled_qty != executed.get(order.id, Decimal(0)):
            found.append(f"order {order.client_order_id}: {order.filled_qty} filled, fills of {executed.get(order.id)}")
    cash = OPENING_CASH - sum(fill.price * fill.qty for fill in fills)
    if account.cash != cash:
        found.append(f"the account has {account.cash} in cash; the fills make {cash}")
    return found
