"""A case: a small day in an account of its own, a fault at the broker, a death, a second life that ends the day."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from tbot_bot.domain.market import Symbol
from tbot_bot.support.path_resolver import Paths
from tools.counterparts.rigs import FIRST, Rig
from tools.faults.forked import ForkedChild, Say
from tools.order_safety.crash import Counted, Deadly, Moments
from tools.order_safety.plan import small_day
from tools.order_safety.trader import Stuck, Trader
from tools.order_safety.verdict import violations

LIFE_SECONDS = 60.0
_DURING_S = (0.0, 0.001, 0.003, 0.006, 0.012, 0.03)
SESSION = date(2026, 1, 5)


@dataclass(frozen=True, slots=True)
class Case:
    """`fault`: the admin port's words for it. `death`: the moment of the first life's end, None = it lives on."""

    number: int
    fault: str
    death: int | None
    after_s: float


def cases(faults: Mapping[str, Any], moments: int, count: int, seed: int) -> list[Case]:
    """`count` of them: every fault with every moment in turn, shuffled by `seed`."""
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    pairs = [(fault, death) for fault in faults for death in (None, *range(moments))]
    dice.shuffle(pairs)
    chosen = [pairs[number % len(pairs)] for number in range(count)]
    return [Case(number, fault, death, dice.choice(_DURING_S)) for number, (fault, death) in enumerate(chosen)]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`died`: whether the first life ended by the case's own kill. `moments`: how many the last life passed."""

    died: bool
    moments: int
    wrong: tuple[str, ...]


def try_case(rig: Rig, case: Case, names: tuple[Symbol, ...], folder: Path) -> Outcome:
    account = rig.new_account()
    paths = Paths(folder / account)
    rig.clear()
    rig.keep_open()
    fault = rig.faults[case.fault]
    if fault:
        rig.fault(**fault)
    end = Counted() if case.death is None else Deadly(case.death, case.after_s)
    first = _life(rig, account, paths, names, end)
    died = first.status == -9
    if first.status not in (0, -9) or (first.status == 0 and "wrong" not in first.said[-1]):
        return Outcome(died, 0, (f"first life ended with {first.status}: {first.said}",))
    rig.clear()
    last = _life(rig, account, paths, names, Counted())
    if last.status != 0 or not last.said or "wrong" not in last.said[-1]:
        return Outcome(died, 0, (f"last life ended with {last.status}: {last.said}",))
    return Outcome(died, last.said[-1]["moments"], tuple(last.said[-1]["wrong"]))


def _life(rig: Rig, account: str, paths: Paths, names: tuple[Symbol, ...], moments: Moments) -> Any:
    def begin(say: Say) -> Any:
        def run() -> None:
            say(_live(rig, account, paths, names, moments))

        return run

    child = ForkedChild(begin)
    child.release()
    return child.wait(LIFE_SECONDS)


def _live(rig: Rig, account: str, paths: Paths, names: tuple[Symbol, ...], moments: Moments) -> Mapping[str, Any]:
    acts = small_day(*names[:3])
    broker = rig.broker(account)
    trader = Trader(paths, SESSION, broker, rig.clock(), moments)
    try:
        trader.live(acts)
    except Stuck as stuck:
        return {"wrong": [str(stuck)], "moments": 0}
    finally:
        trader.close()
    executions = broker.executions_since(_before())
    broker.close()
    wrong = violations(acts, trader.orders, executions, rig.truth(account))
    return {"wrong": wrong, "moments": len(getattr(moments, "passed", ()))}


def _before() -> datetime:
    return FIRST
