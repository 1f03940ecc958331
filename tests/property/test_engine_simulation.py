"""Laws that hold on any day, with any luck: a synthetic market, a faulty exchange, and a bot that dies at random."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal

from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st

from tbot_bot.domain.market import InverseEtf, Symbol
from tbot_bot.domain.orders import Direction
from tbot_bot.domain.session import NEXT, BotState, StrategyName
from tbot_bot.engine import events as e
from tbot_bot.engine.commands import Decide, MoveState, Outcome
from tools.simulation.builders import PAPER, context, settings
from tools.simulation.exchange import Faults, Simulation
from tools.simulation.laws import CALM_SEA, KEYS, MARKET_NAMES, NAMES, broken_laws, simulate, watch_positions
from tools.simulation.market import Market

CALM = budget(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
ROUGH = budget(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))

STEPS = st.integers(60, 1540)
FAULTS = st.builds(
    Faults,
    reject=st.sampled_from((0, 0.1, 0.3)),
    lost=st.sampled_from((0, 0.2)),
    never_arrived=st.sampled_from((0, 0.2)),
    partial=st.sampled_from((0, 0.5)),
    duplicate=st.sampled_from((0, 0.5)),
    drop_report=st.sampled_from((0, 0.2)),
    shuffle=st.sampled_from((0, 0.5)),
    cancel_lost=st.sampled_from((0, 0.3)),
    account_fails=st.sampled_from((0, 0.3)),
    crashes=st.frozensets(st.one_of(STEPS, st.integers(80, 140), st.integers(300, 340)), max_size=6),
)


def assert_lawful(sim: Simulation) -> None:
    """What must be true after any day."""
    assert broken_laws(sim) == []


@given(st.integers(0, 10_000))
@CALM
def test_a_calm_day_is_traded_and_ends_flat(seed: int) -> None:
    sim = simulate(seed).run(watch_positions)
    assert_lawful(sim)
    state = BotState.IDLE
    for command in sim.commands:
        if isinstance(command, MoveState):
            assert command.to in NEXT[state]
            state = command.to
    assert state is BotState.IDLE
    assert sim.done is not None
    assert abs(sim.done.realised - (sim.exchange.cash - 100_000)) < Decimal("0.05")


@given(st.integers(0, 10_000), FAULTS)
@ROUGH
def test_a_rough_day_breaks_no_law(seed: int, faults: Faults) -> None:
    assert_lawful(simulate(seed, faults).run(watch_positions))


@given(st.integers(0, 10_000), FAULTS, st.integers(80, 1200), st.booleans())
@ROUGH
def test_after_a_kill_or_a_stop_nothing_is_entered_and_all_is_sold(
    seed: int, faults: Faults, at_step: int, kill: bool
) -> None:
    def order(sim: Simulation, step: int) -> None:
        watch_positions(sim, step)
        if step == at_step:
            event = e.KillRequested(sim.now, "t", "test") if kill else e.StopRequested(sim.now, "t")
            sim.feed(event)

    sim = simulate(seed, faults).run(order)
    assert_lawful(sim)
    assert sim.done is not None


@given(st.integers(0, 10_000), FAULTS)
@CALM
def test_a_loss_closes_everything_for_the_rest_of_the_session(seed: int, faults: Faults) -> None:
    def rob(sim: Simulation, step: int) -> None:
        if step == 100:
            sim.exchange.cash -= 6_000

    sim = simulate(seed, faults).run(rob)
    assert_lawful(sim)
    assert sim.done is not None
    assert "loss limit" in sim.done.tripped
    assert sim.state is BotState.SHUTDOWN_TRIGGERED


@given(st.integers(0, 10_000), FAULTS)
@CALM
def test_short_sales_end_flat_too(seed: int, faults: Faults) -> None:
    keys = {f"SHORT_TYPE_{s}": "ShortSell" for s in ("OPEN", "MID", "CLOSE")}
    assert_lawful(simulate(seed, faults, **keys).run())


def test_a_simple_broker_without_fractions_or_stops_works() -> None:

    able = replace(PAPER, fractional=False, notional=False, resting_stop_fractional=False)
    chosen = settings(**KEYS)
    sim = Simulation(context(NAMES, settings=chosen, capabilities=able), Market(MARKET_NAMES, 3), Faults(), 3).run()
    assert_lawful(sim)
    assert all(i.quantity is not None and i.quantity % 1 == 0 for i in sim.journal.intents.values())


def test_days_have_trades_in_all_three_windows_and_both_directions() -> None:
    names = tuple(f"S{i:02d}" for i in range(40))
    funds = tuple(InverseEtf(Symbol(f"INV{i}"), None, Decimal(1)) for i in range(12))
    wanted = {f"{s} {d}" for s in StrategyName for d in Direction}
    taken: Counter[str] = Counter()
    for seed in range(6):
        if set(taken) == wanted:
            break
        market = Market((*names, *(fund.symbol for fund in funds)), seed)
        sim = Simulation(context(names, inverse_etfs=funds), market, CALM_SEA, seed).run()
        for command in sim.commands:
            if isinstance(command, Decide) and command.outcome is Outcome.TAKEN:
                taken[f"{command.strategy} {command.direction}"] += 1
    assert set(taken) == wanted, taken
