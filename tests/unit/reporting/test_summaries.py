import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import OrderStatus, Side
from tbot_bot.domain.portfolio import Position
from tbot_bot.reporting.summaries import average_slippage, daily, write
from tbot_bot.support.path_resolver import Paths
from tests.unit.reporting.day import DAY, FACTS, fill, order, trade


def test_each_strategy_has_its_result_and_an_idle_one_has_zeros() -> None:
    summary = daily(FACTS)
    assert summary["by_strategy"]["open"] == {
        "trades": 1,
        "wins": 1,
        "losses": 0,
        "hit_rate": "1.0000",
        "pnl": "9.65",
        "fees": "0.03",
        "notional": "1520.50",
        "slippage_bps": "4.95",
    }
    idle = summary["by_strategy"]["mid"]
    assert (idle["trades"], idle["pnl"], idle["hit_rate"], idle["slippage_bps"]) == (0, "0", None, None)


def test_trades_that_are_not_known_to_be_ours_are_shown_apart() -> None:
    summary = daily(replace(FACTS, trades=(trade(strategy=None), trade())))
    assert summary["by_strategy"]["unattributed"]["trades"] == 1
    assert summary["totals"]["trades"] == 2
    assert "unattributed" not in daily(FACTS)["by_strategy"]


def test_slippage_is_weighted_by_money_and_ignores_fills_without_a_reference() -> None:
    small, large = fill("a", Side.BUY, "1", "101", "100"), fill("b", Side.BUY, "3", "100", "100")
    assert average_slippage([small, large]) == Decimal("25.19")
    assert average_slippage([fill("c", Side.BUY, "3", "100", None)]) is None


def test_denials_are_counted_by_the_setting_that_decides_else_by_reason() -> None:
    assert daily(FACTS)["denials"] == {"MAX_SPREAD_PCT": 2, "no quote": 1}


def test_rejections_keep_the_brokers_words() -> None:
    summary = daily(FACTS)
    assert summary["rejected"] == {"insufficient buying power": 1}
    assert summary["orders_by_status"] == {"filled": 1, "rejected": 1}
    assert summary["orders_not_final"] == []


def test_an_order_without_a_final_state_is_named() -> None:
    summary = daily(replace(FACTS, orders=(order(OrderStatus.UNKNOWN),)))
    assert summary["orders_not_final"] == ["tb-250310-open-spy-entry1-abc"]


def test_a_limit_is_touched_when_used_up_or_when_it_denied_and_not_when_unknown() -> None:
    assert daily(FACTS)["limits_touched"] == ["MAX_SPREAD_PCT", "MAX_OPEN_POSITIONS"]


def test_flat_is_only_said_when_the_broker_said_so() -> None:
    held = (Position(Symbol("SPY"), Decimal(1), Decimal(50)),)
    answers = [daily(replace(FACTS, positions_left=left))["flat"] for left in ((), held, None)]
    assert answers == [True, False, None]


def test_an_unknown_equity_is_not_zero() -> None:
    assert daily(replace(FACTS, closing_equity=None))["equity"] == {
        "opening": "100000",
        "closing": None,
        "change": None,
    }


def test_a_trial_balance_that_does_not_balance_says_so() -> None:
    assert daily(FACTS)["trial_balance"]["balanced"] is True
    crooked = replace(FACTS, trial_balance={"Assets:Cash": (Decimal(5), Decimal(2))})
    assert daily(crooked)["trial_balance"]["balanced"] is False


def test_misses_are_kept_apart_from_candidates() -> None:
    summary = daily(FACTS)
    assert [miss["symbol"] for miss in summary["nearest_misses"]] == ["DDD"]
    assert [c["symbol"] for c in summary["candidates"]] == ["SPY", "AAA", "BBB", "CCC"]


def test_the_written_summary_reads_back_as_it_was(tmp_path: Path) -> None:
    path = write(Paths(root=tmp_path), FACTS)
    assert path == tmp_path / "output" / "sessions" / DAY.isoformat() / "summary.json"
    assert json.loads(path.read_text()) == daily(FACTS)
