"""What must be true of any simulated day, however rough."""

from collections import Counter
from decimal import Decimal

from tbot_bot.domain.orders import OrderIntent, Purpose
from tbot_bot.domain.session import StrategyName
from tbot_bot.engine.commands import Submit
from tools.simulation.builders import context, settings
from tools.simulation.exchange import Faults, Simulation
from tools.simulation.market import Market

NAMES = tuple(f"S{i:02d}" for i in range(12))
MARKET_NAMES = (*NAMES, "SH", "PSQ", "SKF")
CALM_SEA = Faults()
KEYS = {"FLAT_BEFORE_CLOSE_S": "900"}


def simulate(seed: int, faults: Faults = CALM_SEA, **keys: str) -> Simulation:
    """A day not yet run; `keys` are configuration keys."""
    chosen = settings(**{**KEYS, **keys})
    return Simulation(context(NAMES, settings=chosen), Market(MARKET_NAMES, seed), faults, seed)


def watch_positions(sim: Simulation, _: int) -> None:
    """A script for `Simulation.run`: what must hold at every step of a long-only day."""
    working = [o for o in sim.exchange.orders.values() if o.live and o.intent.purpose is Purpose.ENTRY]
    busy = {p.symbol for p in sim.exchange.shown()} | {o.intent.symbol for o in working}
    if len(busy) > sim.context.settings.risk.max_open_positions:
        sim.exchange.violations.append(f"{len(busy)} positions at once")
    sim.exchange.violations += [f"short of {p.symbol}" for p in sim.exchange.shown() if p.quantity <= 0]


def broken_laws(sim: Simulation) -> list[str]:
    """What was broken, in sentences, after the day ran."""
    found = list(dict.fromkeys(sim.exchange.violations))
    if not sim.exchange.flat:
        found.append("the day did not end flat")
    if sim.done is None:
        found.append("the day never ended")
    entries = [i for i in sim.journal.intents.values() if i.purpose is Purpose.ENTRY]
    lived = [i for i in entries if (o := sim.exchange.orders.get(i.client_id)) is not None and o.filled > 0]
    found += [f"{symbol} was entered {n} times" for symbol, n in Counter(i.symbol for i in lived).items() if n > 1]
    limits = sim.context.settings.risk
    cap = sim.context.opening_equity * limits.total_allocation
    for strategy in StrategyName:
        own = [i for i in lived if i.strategy is strategy]
        if len(own) > limits.max_trades:
            found.append(f"{strategy}: {len(own)} trades")
        if len({i.weight_index for i in own}) != len(own):
            found.append(f"{strategy}: a weight was used twice")
        planned = sum((_planned(i) for i in own), Decimal(0))
        if planned > cap:
            found.append(f"{strategy}: {planned} planned of {cap}")
    sent = Counter(command.intent.client_id for command in sim.commands if isinstance(command, Submit))
    return found + [f"{client_id} was asked for {n} times" for client_id, n in sent.items() if n > 1]


def _planned(intent: OrderIntent) -> Decimal:
    """USD that an entry meant to spend; what it cost depends on the market's next moment."""
    if intent.notional is not None:
        return intent.notional
    assert intent.quantity is not None and intent.reference_price is not None  # noqa: PT018 - every entry has both
    return intent.quantity * intent.reference_price
