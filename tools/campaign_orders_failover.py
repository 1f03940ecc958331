"""Two venues and a trader that may all fail or die: each id at one venue, once; nothing unknown, nothing left."""

import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tbot_bot.broker.failover import FailoverBroker
from tbot_bot.broker.health import Patience
from tbot_bot.broker.routes import RouteLog
from tbot_bot.domain.errors import BrokerError
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderIntent, Purpose, Side
from tbot_bot.domain.session import StrategyName
from tbot_bot.support.atomic_file import LineLog, read_lines
from tools.counterparts.rigs import FIRST, AlpacaRig, Rig
from tools.faults.forked import ForkedChild, Say
from tools.order_safety.verdict import OPEN, name_of

SESSION = date(2026, 1, 5)
FAULTS = ("none", "down", "dead", "cut before", "cut after", "lost answers")
DEATHS = ("none", "route written", "any time")
_PATIENCE = Patience(failures=2, down_after_s=0.0, up_after_s=0.3)
_ACTS = 20
_LIFE_S = 60.0
_END_S = 40.0


class Case:
    """One day: a first life under a fault, which may end anywhere, and a second one that closes everything."""

    def __init__(self, rigs: Sequence[Rig], folder: Path, names: Sequence[Symbol], number: int, seed: int) -> None:
        self._rigs = rigs
        self._accounts = [f"FO{place}X{number}" for place in range(2)]
        self._folder = folder / str(number)
        self._folder.mkdir()
        self._names = names
        self._dice = random.Random(seed * 100_003 + number)  # noqa: S311 - repeatable, not secret
        self.fault, self.death = FAULTS[number % len(FAULTS)], DEATHS[number // len(FAULTS) % len(DEATHS)]

    def run(self) -> tuple[list[str], Counter[str]]:
        """What is wrong, in words, and counts."""
        for rig in self._rigs:
            rig.clear()
            rig.keep_open()
        first = ForkedChild(self._life(self._first_acts))
        first.wait_until_ready()
        first.release()
        self._break_first()
        died = first.wait(_LIFE_S).status == -signal.SIGKILL
        self._heal_first()
        last = ForkedChild(self._life(self._close))
        last.release()
        ended = last.wait(_LIFE_S)
        wrong = [] if ended.status == 0 else [f"last life: {ended.said}"]
        found, counts = self._verdict()
        counts["deaths"] += died
        return wrong + found, counts

    def _break_first(self) -> None:
        time.sleep(self._dice.uniform(0, 0.15))
        rig = self._rigs[0]
        if self.fault == "dead":
            rig.kill()
        elif self.fault == "down":
            rig.fault(http_status=503, http_count=100_000)
        elif self.fault == "lost answers":
            rig.fault(http_status=504, http_count=100_000, http_method="POST")
        elif self.fault.startswith("cut"):
            rig.fault(cut=self.fault.split()[1], cut_count=3, cut_method="POST")

    def _heal_first(self) -> None:
        if self.fault == "dead":
            self._rigs[0].start()
        for rig in self._rigs:
            rig.clear()
            rig.keep_open()

    # lives

    def _life(self, acts: Callable[[FailoverBroker, LineLog], None]) -> Callable[[Say], Callable[[], None]]:
        def begin(say: Say) -> Callable[[], None]:
            one, two = (rig.broker(name) for rig, name in zip(self._rigs, self._accounts, strict=True))
            routes = RouteLog(self._folder / "routes.jsonl")
            broker = FailoverBroker(one, two, routes, "FAILOVER", lambda up, words: None, _PATIENCE)
            broker.connect()
            journal = LineLog(self._folder / "journal.jsonl")
            if acts == self._first_acts and self.death == "route written":
                _die_after(routes, self._dice.randrange(1, _ACTS))
            elif acts == self._first_acts and self.death == "any time":
                signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
                signal.setitimer(signal.ITIMER_REAL, self._dice.uniform(0.02, 1.2))
            return lambda: acts(broker, journal)

        return begin

    def _first_acts(self, broker: FailoverBroker, journal: LineLog) -> None:
        sent: list[OrderIntent] = []
        for number in range(_ACTS):
            time.sleep(self._dice.uniform(0, 0.05))
            again = bool(sent) and self._dice.random() < 0.2
            order = self._dice.choice(sent) if again else _entry(number, self._dice.choice(self._names))
            if not again:
                sent.append(order)
                journal.append({"id": order.client_id, "symbol": order.symbol})
            with suppress(BrokerError):
                broker.submit_order(order)
            for _ in range(2):
                with suppress(BrokerError):
                    broker.get_positions()

    def _close(self, broker: FailoverBroker, journal: LineLog) -> None:
        """Until both are flat: what is bought is sold where it was bought."""
        deadline = time.monotonic() + _END_S
        entries = [_entry_of(row) for row in read_lines(self._folder / "journal.jsonl") if "symbol" in row]
        while time.monotonic() < deadline:
            with suppress(BrokerError):
                for entry in entries:
                    self._sell(broker, entry)
                if not broker.open_orders() and not broker.get_positions():
                    return
            time.sleep(0.1)
        raise TimeoutError(f"not flat: {broker.get_positions()} {broker.open_orders()}")

    def _sell(self, broker: FailoverBroker, entry: OrderIntent) -> None:
        known = broker.get_order(entry.client_id)
        if known is None or not known.filled_quantity:
            return
        name = ClientOrderId(f"x-{entry.client_id}")
        sale = replace(entry, client_id=name, side=Side.SELL, purpose=Purpose.EXIT, quantity=known.filled_quantity)
        broker.submit_order(sale)

    # afterwards

    def _verdict(self) -> tuple[list[str], Counter[str]]:
        entries = {str(row["id"]) for row in read_lines(self._folder / "journal.jsonl")}
        truths = [rig.truth(name) for rig, name in zip(self._rigs, self._accounts, strict=True)]
        sent = [[name_of(order) for order in truth["orders"]] for truth in truths]
        twice = [name for name, count in Counter(sent[0] + sent[1]).items() if count > 1]
        unknown = [name for name in sent[0] + sent[1] if name.removeprefix("x-") not in entries]
        left = [f"{place} {held}" for place, truth in enumerate(truths) for held in truth["positions"].items()]
        working = [name_of(o) for truth in truths for o in truth["orders"] if o["status"] in OPEN]
        wrong = [f"duplicate: {name}" for name in twice] + [f"orphan: {name}" for name in (*unknown, *left, *working)]
        counts = Counter({"duplicates": len(twice), "orphans": len(unknown) + len(left) + len(working)})
        counts.update({"at the primary": len(sent[0]), "at the secondary": len(sent[1])})
        return [f"{self.fault}, death {self.death}: {words}" for words in wrong], counts


def failover_cases(seed: int, count: int) -> tuple[list[str], Counter[str]]:
    """`count` cases at two venues: what was wrong, in words, and the figures."""
    folder = Path(tempfile.mkdtemp(prefix="tbot-failover-"))
    rigs = [AlpacaRig(folder / name, speed=20) for name in ("one", "two")]
    wrong, counts = list[str](), Counter[str]({"duplicates": 0, "orphans": 0})
    try:
        for rig in rigs:
            rig.retries = 0
            rig.start()
            rig.run_from(FIRST)
        names = rigs[0].names()[:30]
        for number in range(count):
            found, figures = Case(rigs, folder, names, number, seed).run()
            wrong += [f"failover case {number} ({words})" for words in found]
            counts["cases"] += 1
            counts.update(figures)
    finally:
        for rig in rigs:
            rig.close()
    if not wrong:
        shutil.rmtree(folder)
    return wrong, counts


def _die_after(routes: RouteLog, number: int) -> None:
    """kill -9 between the writing of the `number`-th route and the sending of its order."""
    choose, left = routes.choose, [number]

    def deadly(*words: Any) -> str:
        route = choose(*words)
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return route

    routes.choose = deadly  # type: ignore[method-assign,assignment]


def _entry(number: int, symbol: Symbol) -> OrderIntent:
    return _entry_of({"id": f"e{number}", "symbol": symbol})


def _entry_of(row: Any) -> OrderIntent:
    name = ClientOrderId(str(row["id"]))
    return OrderIntent(
        client_id=name,
        session=SESSION,
        strategy=StrategyName.OPEN,
        symbol=Symbol(str(row["symbol"])),
        side=Side.BUY,
        purpose=Purpose.ENTRY,
        trade_id=name,
        created_at=datetime(2026, 1, 5, 15, tzinfo=UTC),
        reason="failover",
        quantity=Decimal(2),
    )
