from dataclasses import replace
from decimal import Decimal

import pytest

from tbot_bot.domain.market import Quote, Symbol, VixReading
from tbot_bot.domain.orders import OrderType, Purpose, Side
from tbot_bot.domain.session import BotState
from tbot_bot.engine import events as e
from tbot_bot.engine.commands import (
    AskAccount,
    AskConfirmation,
    AskQuotes,
    Cancel,
    Decide,
    Inquire,
    MoveState,
    Outcome,
    Submit,
    Watch,
)
from tests.unit.engine.desk import Desk, only, those
from tools.simulation.builders import PAPER, at, listing, settings


def test_a_breakout_asks_for_a_quote_and_then_buys_by_amount() -> None:
    desk = Desk()
    assert only(desk.breakout(AAA="21.00"), AskQuotes).symbols == ("AAA",)
    told = desk.quotes(AAA="21.00")
    intent = only(told, Submit).intent
    assert (intent.symbol, intent.side, intent.purpose, intent.type) == (
        "AAA",
        Side.BUY,
        Purpose.ENTRY,
        OrderType.MARKET,
    )
    assert (intent.notional, intent.quantity, intent.weight_index) == (Decimal(800), None, 1)
    assert intent.trade_id == intent.client_id
    assert intent.exit_plan is not None
    assert intent.exit_plan.stop_distance == Decimal("0.02")
    assert intent.exit_plan.target_distance == Decimal("0.04")
    assert intent.exit_plan.deadline == at(21 + 30)
    assert only(told, Decide).outcome is Outcome.TAKEN
    assert only(told, Watch).symbols == ("AAA",)


def test_the_first_event_asks_for_the_account_and_arms_the_bot() -> None:
    told = Desk(healthy=False).time(0)
    assert only(told, MoveState).to is BotState.ANALYZING
    assert only(told, AskAccount)


def test_states_follow_the_day() -> None:
    desk = Desk()
    assert only(desk.time(20), MoveState).to is BotState.TRADING
    assert only(desk.time(30), MoveState).to is BotState.ANALYZING


def test_a_bearish_signal_buys_the_sectors_inverse_fund_at_its_leverage() -> None:
    desk = Desk(listings={Symbol("AAA"): listing("AAA", sector="Financials")})
    assert only(desk.breakout(AAA="19.00"), AskQuotes).symbols == ("SKF",)
    intent = only(desk.quotes(SKF="30.00"), Submit).intent
    assert (intent.symbol, intent.side, intent.signal_symbol, intent.direction) == ("SKF", Side.BUY, "AAA", "bearish")
    assert intent.notional == 400
    assert intent.exit_plan is not None
    assert intent.exit_plan.stop_distance == Decimal("0.04")


def test_candidates_are_taken_in_rank_order_with_their_weights() -> None:
    names = ("AAA", "BBB", "CCC", "DDD", "EEE")
    desk = Desk(names)
    desk.breakout(AAA="20.60", BBB="21.50", CCC="21.00", DDD="20.70", EEE="20.80")
    told = desk.quotes(AAA="20.60", BBB="21.50", CCC="21.00", DDD="20.70", EEE="20.80")
    taken = [s.intent for s in those(told, Submit)]
    assert [(i.symbol, i.notional, i.weight_index) for i in taken] == [
        ("BBB", 800, 1),
        ("CCC", 400, 2),
        ("EEE", 400, 3),
        ("DDD", 400, 4),
    ]


def test_equal_scores_are_ranked_by_symbol() -> None:
    desk = Desk(("BBB", "AAA"))
    assert only(desk.breakout(AAA="21.00", BBB="21.00"), AskQuotes).symbols == ("AAA", "BBB")


def test_nobody_overtakes_a_candidate_whose_quote_is_on_its_way() -> None:
    desk = Desk(("AAA", "BBB"), inverse_etfs=())
    told = desk.breakout(AAA="21.50", BBB="19.00")
    assert not those(told, Decide)
    told = desk.quotes(AAA="21.50")
    assert [(d.symbol, d.outcome, d.rank, d.fallback) for d in those(told, Decide)] == [
        ("AAA", Outcome.TAKEN, 1, 0),
        ("BBB", Outcome.REFUSED, 2, 0),
    ]


def test_a_wide_spread_is_denied_in_the_traders_words_and_the_next_is_taken() -> None:
    desk = Desk(("AAA", "BBB"))
    desk.breakout(AAA="21.50", BBB="21.00")
    told = desk.feed(
        e.QuotesSeen(
            desk.now,
            (
                replace_quote(desk, "AAA", "21.275", "21.725"),
                replace_quote(desk, "BBB", "20.99", "21.01"),
            ),
        )
    )
    first, second = those(told, Decide)
    assert (first.outcome, first.reason, first.setting) == (
        Outcome.DENIED,
        "spread 2.1 % is above 1.5 %",
        "MAX_SPREAD_PCT",
    )
    assert (second.outcome, second.rank, second.fallback, second.traded) == (Outcome.TAKEN, 2, 1, "BBB")


def replace_quote(desk: Desk, name: str, bid: str, ask: str) -> Quote:
    middle = (Decimal(bid) + Decimal(ask)) / 2
    return Quote(Symbol(name), desk.now, Decimal(bid), Decimal(ask), middle)


def test_a_broker_refusal_frees_the_slot_for_the_next_candidate() -> None:
    desk = Desk(("AAA", "BBB"), settings=settings(MAX_TRADES="1", WEIGHTS="0.4"))
    desk.breakout(AAA="21.50", BBB="21.00")
    entry = only(desk.quotes(AAA="21.50", BBB="21.00"), Submit).intent
    told = desk.feed(e.OrderNotSent(desk.now, entry.client_id, "not tradable"))
    refused, taken = those(told, Decide)
    assert (refused.symbol, refused.outcome, refused.fallback) == ("AAA", Outcome.REFUSED, 0)
    assert "not tradable" in refused.reason
    assert (taken.symbol, taken.outcome, taken.fallback) == ("BBB", Outcome.TAKEN, 1)
    assert only(told, Submit).intent.weight_index == 1


def test_a_rejected_report_does_the_same() -> None:
    desk = Desk(("AAA", "BBB"), settings=settings(MAX_TRADES="1", WEIGHTS="0.4"))
    desk.breakout(AAA="21.50", BBB="21.00")
    entry = only(desk.quotes(AAA="21.50", BBB="21.00"), Submit).intent
    told = desk.report(entry, "rejected", reason="no")
    assert only(told, Submit).intent.symbol == "BBB"


def test_without_a_quote_for_ten_real_seconds_the_candidate_is_refused() -> None:
    desk = Desk()
    desk.breakout(AAA="21.00")
    assert not those(desk.time(21, 9), Decide)
    assert only(desk.time(21, 10), Decide).reason == "no quote of AAA within 10 s"


def test_an_old_quote_is_denied() -> None:
    desk = Desk()
    desk.breakout(AAA="21.00")
    assert "s old" in only(desk.quotes(AAA="21.00", stamp=at(20, 50)), Decide).reason


def test_on_a_fast_clock_the_quotes_age_is_judged_in_real_seconds() -> None:
    desk = Desk(speed=450.0)
    desk.breakout(AAA="21.00")
    assert only(desk.quotes(AAA="21.00", stamp=at(20)), Submit)


def test_unknown_pnl_stops_new_entries() -> None:
    desk = Desk(healthy=False)
    desk.feed(e.Reconciled(desk.now, clean=True))
    for minute in range(20):
        desk.closes(minute)
    desk.closes(20, AAA="21.00")
    assert only(desk.quotes(AAA="21.00"), Decide).reason == "today's P&L is unknown"


def test_one_failed_question_is_asked_again_and_does_not_yet_make_the_pnl_unknown() -> None:
    desk = Desk()
    desk.breakout(AAA="21.00")
    desk.account()
    desk.account(None)
    assert only(desk.time(21, 1), AskAccount)
    assert only(desk.quotes(AAA="21.00"), Submit)


def test_an_account_not_heard_of_for_a_minute_is_unknown() -> None:
    desk = Desk()
    desk.quiet_morning()
    desk.closes(20)
    desk.closes(21, AAA="21.00")
    assert only(desk.quotes(AAA="21.00"), Decide).reason == "today's P&L is unknown"


def test_an_unclean_reconciliation_stops_new_entries() -> None:
    desk = Desk()
    desk.feed(e.Reconciled(desk.now, clean=False, why="AAA differs"))
    desk.breakout(AAA="21.00")
    assert "AAA differs" in only(desk.quotes(AAA="21.00"), Decide).reason


def test_before_the_first_reconciliation_nothing_is_entered() -> None:
    desk = Desk(healthy=False)
    desk.breakout(AAA="21.00")
    assert "not yet compared" in only(desk.quotes(AAA="21.00"), Decide).reason


def test_shares_that_someone_else_holds_are_left_alone() -> None:
    desk = Desk()
    desk.breakout(AAA="21.00")
    desk.account(positions={"AAA": "5"})
    assert only(desk.quotes(AAA="21.00"), Decide).reason == "the account holds AAA already"


def test_the_blocklist_denies() -> None:
    desk = Desk(blocklist=frozenset({Symbol("AAA")}))
    desk.breakout(AAA="21.00")
    assert only(desk.quotes(AAA="21.00"), Decide).reason == "AAA is on the blocklist"


def test_a_ticker_is_entered_once_a_session() -> None:
    desk = Desk(listings={Symbol(n): listing(n, sector="Financials") for n in ("AAA", "BBB")})
    desk.names = ("AAA", "BBB")
    desk.breakout(AAA="19.00", BBB="19.10")
    told = desk.quotes(SKF="30.00")
    assert only(told, Submit).intent.signal_symbol == "AAA"
    assert "every inverse fund for it was traded today already: SKF" in those(told, Decide)[1].reason


def test_an_unknown_fate_is_asked_for_and_blocks_nothing_else() -> None:
    desk = Desk(("AAA", "BBB"))
    entry = desk.enter()
    told = desk.feed(e.OrderLost(desk.now, entry.client_id))
    assert only(told, Inquire).client_id == entry.client_id
    desk.closes(21, AAA="21.00", BBB="21.00")
    desk.account()
    assert only(desk.quotes(BBB="21.00"), Submit).intent.weight_index == 2


def test_working_entries_are_cancelled_when_the_breakout_ends() -> None:
    desk = Desk()
    entry = desk.enter()
    desk.report(entry, "accepted")
    assert not those(desk.time(29, 59), Cancel)
    assert only(desk.time(30), Cancel).client_id == entry.client_id


def test_the_last_analysis_bar_gives_no_signal_and_nor_does_a_late_one() -> None:
    desk = Desk()
    desk.quiet_morning(19)
    assert not those(desk.closes(19, AAA="25.00"), AskQuotes)
    other = Desk()
    other.quiet_morning()
    assert not those(other.closes(20, late=True, AAA="25.00"), AskQuotes)


def test_thin_symbols_and_nearest_misses_are_told_at_the_windows_end() -> None:
    desk = Desk(("AAA", "BBB", "CCC"))
    for minute in range(20):
        desk.closes(minute, CCC="" if minute < 5 else "20.00")
    desk.closes(20, AAA="20.30", BBB="20.10", CCC="25.00")
    told = those(desk.time(30), Decide)
    assert told[0].symbol == "*"
    assert "CCC" in told[0].reason
    assert [(d.symbol, d.outcome, round(d.seen or 0, 4), d.needed) for d in told[1:]] == [
        ("AAA", Outcome.MISSED, 0.015, 0.02),
        ("BBB", Outcome.MISSED, 0.005, 0.02),
    ]


def test_a_low_vix_denies_the_close_window_once() -> None:
    desk = Desk(vix=VixReading(Decimal(12), at(0).date()))
    desk.time(305)
    for minute in (305, 306):
        desk.closes(minute)
    told = [d for d in those(desk.all, Decide) if d.strategy == "close" and d.symbol == "*"]
    assert [d.reason for d in told] == ["VIX 12 is below 15"]


def test_the_pool_is_never_extended() -> None:
    names = tuple(f"S{i}" for i in range(8))
    desk = Desk(names, settings=settings(MAX_TRADES="1", WEIGHTS="0.4", CANDIDATE_MULTIPLIER="2"))
    told = desk.breakout(**dict.fromkeys(names, "21.00"))
    full = [d.reason for d in those(told, Decide) if d.setting == "CANDIDATE_MULTIPLIER"]
    left_out = "6 more signals (ranks 3 to 8) were left out: S2, S3, S4, S5, S6, S7"
    assert full == [f"the candidate pool is full: {left_out}"]
    assert only(told, AskQuotes).symbols == ("S0", "S1")


def test_whole_shares_where_the_broker_knows_no_fractions() -> None:
    desk = Desk(capabilities=replace(PAPER, fractional=False, notional=False))
    intent = desk.enter()
    assert (intent.quantity, intent.notional) == (Decimal(38), None)


def test_a_short_sale_sells_whole_shares() -> None:
    desk = Desk(settings=settings(SHORT_TYPE_OPEN="ShortSell"))
    desk.breakout(AAA="19.00")
    intent = only(desk.quotes(AAA="19.00"), Submit).intent
    assert (intent.side, intent.quantity) == (Side.SELL, Decimal(42))


@pytest.mark.parametrize(
    ("short_type", "words"), [("LongPut", "option broker"), ("disabled", "bearish signals are switched off")]
)
def test_bearish_signals_that_cannot_be_traded_are_recorded_and_dropped(short_type: str, words: str) -> None:
    chosen = settings()
    own = replace(chosen.strategies.open, short_type=type(chosen.strategies.open.short_type)(short_type))
    desk = Desk(settings=replace(chosen, strategies=replace(chosen.strategies, open=own)))
    told = only(desk.breakout(AAA="19.00"), Decide)
    assert told.outcome is Outcome.REFUSED
    assert words in told.reason


def test_a_required_confirmation_is_waited_for_and_checked_anew() -> None:
    desk = Desk(settings=settings(TRADE_CONFIRMATION_REQUIRED="true"))
    desk.breakout(AAA="21.00")
    told = desk.quotes(AAA="21.00")
    asked = only(told, AskConfirmation)
    assert (asked.symbol, asked.value, asked.until) == ("AAA", Decimal(800), at(30))
    assert not those(told, Submit)
    told = desk.feed(e.TradeConfirmed(desk.now, asked.client_id, "anna"))
    assert only(told, AskQuotes).symbols == ("AAA",)
    assert only(desk.quotes(AAA="21.00"), Submit).intent.client_id == asked.client_id


def test_an_unconfirmed_entry_is_never_sent() -> None:
    desk = Desk(settings=settings(TRADE_CONFIRMATION_REQUIRED="true"))
    desk.breakout(AAA="21.00")
    desk.quotes(AAA="21.00")
    assert only([d for d in those(desk.time(30), Decide) if d.rank], Decide).reason == "not confirmed in time"
    assert not desk.intents


def test_two_candidates_never_wait_for_the_same_fund() -> None:
    desk = Desk(("AAA", "BBB"), settings=settings(TRADE_CONFIRMATION_REQUIRED="true"))
    desk.breakout(AAA="19.00", BBB="19.10")
    first = only(desk.quotes(PSQ="40.00"), AskConfirmation)
    second = only(desk.quotes(SH="40.00"), AskConfirmation)
    assert (first.symbol, second.symbol) == ("PSQ", "SH")
