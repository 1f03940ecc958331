"""Orders of every broker under faults at the broker and kill -9 of the trader: none twice, none lost, none left."""

import shutil
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tools.campaign_orders_failover import failover_cases
from tools.counterparts.rigs import FIRST, RIGS
from tools.figures import Campaign
from tools.order_safety.cases import Case, cases, try_case

CASES = {"small": 6, "full": 420}
"""For each broker."""
FAILOVER_CASES = {"small": 0, "full": 90}
"""The small ones are a test of their own."""
SHARES = 2
SPEED = 20
MOMENTS = 44
"""A little more than a day without a fault passes."""


def orders_campaign(size: str, seed: int) -> Campaign:
    """A point is one case: a fault, a death, and the day that ends all the same."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="tbot-orders-"))
    work = [(name, share, size, seed, folder / f"{name}-{share}") for name in RIGS for share in range(SHARES)]
    with ProcessPoolExecutor(SHARES) as pool:
        found = list(pool.map(_share, work))
    wrong = tuple(words for violations, _ in found for words in violations)
    counts = Counter[str]()
    for _, share in found:
        counts.update(share)  # addition would drop the zeros, which are the point
    lost, figures = failover_cases(seed, FAILOVER_CASES[size])
    wrong += tuple(lost)
    counts.update({f"failover {name}": count for name, count in figures.items()})
    points = sum(counts[f"{name} cases"] for name in (*RIGS, "failover"))
    if not wrong:
        shutil.rmtree(folder)
    print("  orders: " + ", ".join(f"{name}={count}" for name, count in sorted(counts.items())), flush=True)
    return Campaign("orders", points, wrong, time.monotonic() - began, dict(counts))


def _share(work: tuple[str, int, str, int, Path]) -> tuple[list[str], Counter[str]]:
    """Every `SHARES`-th case of one broker, at a counterpart of its own."""
    name, share, size, seed, folder = work
    rig = RIGS[name](folder, SPEED)
    counts, wrong = Counter[str](), list[str]()
    rig.start()
    try:
        rig.run_from(FIRST)
        names = rig.names()
        for case in cases(rig.faults, MOMENTS, CASES[size], seed)[share::SHARES]:
            outcome = try_case(rig, case, names, folder)
            counts[f"{name} cases"] += 1
            counts[f"{name} deaths"] += outcome.died
            wrong += [f"{name}, {_words(case)}: {each}" for each in outcome.wrong]
    finally:
        rig.close()
    for kind in ("duplicate", "orphan"):
        counts[f"{name} {kind}s"] = sum(f": {kind}:" in words for words in wrong)
    return wrong, counts


def _words(case: Case) -> str:
    return f"case {case.number} ({case.fault}, death at {case.death} +{case.after_s} s)"
