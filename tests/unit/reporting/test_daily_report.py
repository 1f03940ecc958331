from dataclasses import replace
from decimal import Decimal

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import OrderStatus
from tbot_bot.domain.portfolio import Position
from tbot_bot.engine.commands import Outcome
from tbot_bot.reporting.daily_report import render_report
from tbot_bot.reporting.summaries import daily
from tests.unit.reporting.day import FACTS, decision, order


def test_the_page_holds_what_a_trader_asks_for() -> None:
    page = render_report(daily(FACTS))
    for words in (
        "Session 2025-03-10   PAPER · PAPER",
        "Market   13:30–20:00 UTC, flat by 19:59",
        "Equity   $100,000.00 → $100,009.65   change +$9.65",
        "flat at the broker; realised +$9.65 after fees",
        "close: skipped, the VIX is not known",
        "tb-250310-open-spy-entry1-abc",
        "spread 2.1 % is above 1.5 %",
        "Orders (1 filled, 1 rejected)",
        "rejected 1×: insufficient buying power",
        "Trial balance (debits equal credits)",
        "denied 2×: MAX_SPREAD_PCT",
        "output/sessions/2025-03-10/summary.json",
    ):
        assert words in page


def test_columns_line_up() -> None:
    lines = render_report(daily(FACTS)).split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith("Round trips"))
    head, row = lines[start + 1], lines[start + 2]
    assert head.index("why") == row.index("target")
    assert head.index("P&L") + 3 == row.index("+$9.65") + 6


def test_what_is_wrong_is_written_large() -> None:
    facts = replace(
        FACTS,
        positions_left=(Position(Symbol("SPY"), Decimal(3), Decimal(50)),),
        orders=(order(OrderStatus.UNKNOWN),),
        trial_balance={"Assets:Cash": (Decimal(5), Decimal(2))},
        tripped="daily loss limit",
        closing_equity=None,
    )
    page = render_report(daily(facts))
    for words in (
        "NOT FLAT at the broker",
        "Left     3 SPY",
        "NOT FINAL: tb-250310-open-spy-entry1-abc",
        "DEBITS AND CREDITS DIFFER",
        "Tripped  daily loss limit",
        "→ unknown",
    ):
        assert words in page


def test_a_day_without_trades_shows_the_nearest_misses() -> None:
    page = render_report(daily(replace(FACTS, trades=(), fills=(), orders=(), limits=())))
    assert "Round trips (0)\n  none" in page
    assert "2.00%  1.00%  0.5 % short" in page
    assert "Denials\n  denied 2×" in page


def test_a_long_list_of_candidates_is_cut_and_says_so() -> None:
    page = render_report(daily(replace(FACTS, decisions=(decision(Outcome.DENIED, "no"),) * 45)))
    assert "Candidates (45)" in page
    assert "… and 5 more" in page
