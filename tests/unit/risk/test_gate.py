from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tbot_bot.domain.orders import OrderType
from tbot_bot.domain.session import BotState
from tbot_bot.domain.verdict import ALLOWED, Denied
from tbot_bot.risk.gate import RULES, Facts, Order, Question, judge
from tbot_bot.risk.kill_switch import KillSwitch
from tbot_bot.risk.limits import limits_today
from tools.simulation.builders import OPEN, PAPER, settings

ORDER = Order(OrderType.MARKET, Decimal(800), Decimal("10.00"), Decimal("10.00"), True, True, False)
FACTS = Facts(
    now=OPEN,
    state=BotState.TRADING,
    window_open=True,
    window_trades=0,
    quote_age_s=1.0,
    pnl=Decimal(0),
    kill_switch=KillSwitch(Decimal(5_000)),
    stopping=False,
    trading_blocked=False,
    clean=True,
    unclean_why="",
    open_positions=0,
    exposure=Decimal(0),
    spent_today=Decimal(0),
    orders_last_minute=0,
    symbol_state="",
    duplicate=False,
)
GOOD = Question(ORDER, FACTS, limits_today(settings(), Decimal(100_000)), settings(), PAPER)


def test_a_plain_entry_passes_every_rule() -> None:
    assert judge(GOOD) == ALLOWED


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        ("state", {"state": BotState.IDLE}),
        ("state", {"state": BotState.ERROR}),
        ("state", {"state": BotState.EMERGENCY_CLOSING}),
        ("state", {"stopping": True}),
        ("kill_switch", {"pnl": None}),
        ("kill_switch", {"pnl": Decimal(-5_000)}),
        ("kill_switch", {"kill_switch": KillSwitch(Decimal(5_000), "operator")}),
        ("account", {"trading_blocked": None}),
        ("account", {"trading_blocked": True}),
        ("reconciliation", {"clean": None}),
        ("reconciliation", {"clean": False, "unclean_why": "AAA differs"}),
        ("window", {"window_open": False}),
        ("max_trades", {"window_trades": 4}),
        ("max_open_positions", {"open_positions": 5}),
        ("symbol", {"symbol_state": "AAA was traded today already"}),
        ("duplicate", {"duplicate": True}),
        ("data_age", {"quote_age_s": None}),
        ("data_age", {"quote_age_s": 5.01}),
        ("exposure", {"exposure": Decimal("99200.01")}),
        ("daily_notional", {"spent_today": Decimal("99200.01")}),
        ("order_rate", {"orders_last_minute": 30}),
    ],
)
def test_each_rule_can_say_no(rule: str, facts: dict[str, Any]) -> None:
    verdict = judge(replace(GOOD, facts=replace(FACTS, **facts)))
    assert isinstance(verdict, Denied)
    assert verdict.rule == rule
    assert verdict.reason


@pytest.mark.parametrize(
    "facts",
    [
        {"quote_age_s": 5.0},
        {"open_positions": 4},
        {"exposure": Decimal(99_200)},
        {"spent_today": Decimal(99_200)},
        {"orders_last_minute": 29},
        {"window_trades": 3},
        {"pnl": Decimal("-4999.99")},
    ],
)
def test_a_limit_itself_is_still_allowed(facts: dict[str, Any]) -> None:
    assert judge(replace(GOOD, facts=replace(FACTS, **facts))) == ALLOWED


@pytest.mark.parametrize(
    ("last", "allowed"), [("10.20", True), ("9.80", False), ("9.81", True), ("0", False), (None, False)]
)
def test_the_price_collar(last: str | None, allowed: bool) -> None:
    order = replace(ORDER, last=None if last is None else Decimal(last))
    verdict = judge(replace(GOOD, order=order))
    assert (verdict == ALLOWED) is allowed


def test_what_the_broker_cannot_do_is_denied() -> None:
    for changed in (
        replace(GOOD, capabilities=replace(PAPER, notional=False)),
        replace(GOOD, capabilities=replace(PAPER, fractional=False)),
        replace(GOOD, capabilities=replace(PAPER, short=False), order=replace(ORDER, short=True)),
    ):
        verdict = judge(changed)
        assert isinstance(verdict, Denied)
        assert verdict.rule == "capability"


def test_the_master_switch_comes_first() -> None:
    verdict = judge(replace(GOOD, settings=settings(DISABLE_ALL_TRADES="true")))
    assert isinstance(verdict, Denied)
    assert verdict.setting == "DISABLE_ALL_TRADES"
    assert len(RULES) == len(set(RULES))
