"""Keys of `.env_bot` that decide how much is risked: sizing, limits, filters, defense, rebalancing."""

from dataclasses import replace

from tbot_bot.config.keys import Group, KeySpec, Place, Store, Unit

_SIZE = Place(Store.ENV_BOT, Group.MONEY, "Sizing", "risk")
_HOW = Place(Store.ENV_BOT, Group.MONEY, "Sizing", "execution")
_LIMIT = Place(Store.ENV_BOT, Group.MONEY, "Limits", "risk")
_LIMIT_OURS = replace(_LIMIT, ours=True, advanced=True)
_SWITCH = Place(Store.ENV_BOT, Group.MONEY, "Limits", "general")
_FILTER = Place(Store.ENV_BOT, Group.MONEY, "Which shares", "filters")
_FILTER_OURS = replace(_FILTER, ours=True, advanced=True)
_DEFENSE = Place(Store.ENV_BOT, Group.MONEY, "Defense mode", "defense", advanced=True)
_DEFENSE_OURS = replace(_DEFENSE, ours=True)
_REBALANCE = Place(Store.ENV_BOT, Group.MONEY, "Rebalancing", "rebalance", advanced=True)

KEYS: tuple[KeySpec, ...] = (
    _SIZE.decimal(
        "TOTAL_ALLOCATION",
        "0.02",
        "Capital per session",
        "Part of the account's equity that one strategy may use in a session (0.02 = 2 %).",
        Unit.FRACTION,
        ">0",
        "1",
    ),
    _SIZE.integer(
        "MAX_TRADES", "4", "Trades per window", "Most trades in one strategy's window.", Unit.TIMES, "1", "50"
    ),
    _SIZE.decimals(
        "WEIGHTS",
        "0.4,0.2,0.2,0.2",
        "Weights",
        "Part of the session's capital for the first, second, … trade: as many as MAX_TRADES, together at most 1.",
        Unit.FRACTION,
        ">0",
        "1",
    ),
    _SIZE.decimal(
        "MAX_RISK_PER_TRADE",
        "0.025",
        "Largest trade",
        "Most of the account's equity in one trade (0.025 = 2.5 %).",
        Unit.FRACTION,
        ">0",
        "1",
    ),
    _HOW.boolean("FRACTIONAL", "true", "Fractional shares", "Buy parts of a share where the broker allows it."),
    _SWITCH.boolean("DISABLE_ALL_TRADES", "false", "Block all trading", "Master switch: no entries while it is true."),
    _LIMIT.decimal(
        "DAILY_LOSS_LIMIT",
        "0.05",
        "Daily loss limit",
        "Loss, as part of the opening equity, at which everything is sold and trading ends for the day.",
        Unit.FRACTION,
        ">0",
        "1",
    ),
    _LIMIT.integer(
        "MAX_OPEN_POSITIONS",
        "5",
        "Open positions",
        "Most positions at once over all strategies; working entries count.",
        Unit.TIMES,
        "1",
        "100",
    ),
    _LIMIT_OURS.decimal(
        "MAX_EXPOSURE",
        "1",
        "Largest exposure",
        "Most of the account's equity in open positions and working entries at once.",
        Unit.FRACTION,
        ">0",
        "1",
    ),
    _LIMIT_OURS.decimal(
        "MAX_DAILY_NOTIONAL",
        "1",
        "Daily volume",
        "Most that is entered in one session, all trades together, in opening equities.",
        Unit.FRACTION,
        ">0",
        "10",
    ),
    _FILTER.decimal("MIN_PRICE", "5", "Lowest price", "Cheaper shares are left out.", Unit.USD, ">0", "100000"),
    _FILTER.decimal("MAX_PRICE", "100", "Highest price", "Dearer shares are left out.", Unit.USD, ">0", "1000000"),
    _FILTER.integer(
        "MIN_VOLUME_THRESHOLD",
        "1000000",
        "Least volume",
        "Shares traded a day, 20-day average where known; less liquid ones are left out.",
        Unit.SHARES,
        "0",
        "10000000000",
    ),
    _FILTER_OURS.decimal(
        "MAX_SPREAD_PCT",
        "0.015",
        "Widest spread",
        "(ask − bid) / mid above which a symbol is skipped.",
        Unit.FRACTION,
        ">0",
        "0.5",
    ),
    replace(
        _FILTER.boolean(
            "ENABLE_FUNNHUB_FUNDAMENTALS_FILTER",
            "true",
            "Fundamentals guard",
            "Leave out shares whose price/earnings or debt/equity is out of bounds or unknown.",
        ),
        aliases=("ENABLE_FINNHUB_FUNDAMENTALS_FILTER",),
    ),
    _FILTER.decimal(
        "MAX_PE_RATIO",
        "50",
        "Highest price/earnings",
        "Losses (a negative ratio) are refused too.",
        Unit.NONE,
        ">0",
        "10000",
    ),
    _FILTER.decimal("MAX_DEBT_EQUITY", "2.5", "Highest debt/equity", "More debt is refused.", Unit.NONE, "0", "1000"),
    _FILTER_OURS.boolean(
        "FUNDAMENTALS_MISSING_ALLOWED",
        "false",
        "Allow unknown fundamentals",
        "Let shares through whose ratios nobody told us. Off: unknown means no.",
    ),
    _FILTER_OURS.boolean(
        "MARKET_CAP_MISSING_ALLOWED",
        "false",
        "Allow unknown market cap",
        "Let shares through whose market cap nobody told us. Off: unknown means no.",
    ),
    _FILTER_OURS.integer(
        "CANDIDATE_MULTIPLIER",
        "5",
        "Candidates per trade",
        "Ranked candidates kept for each allowed trade; when all are refused the pool is not extended.",
        Unit.TIMES,
        "1",
        "50",
    ),
    _FILTER_OURS.decimal(
        "MIN_ANALYSIS_COVERAGE",
        "0.8",
        "Bars needed",
        "Part of the analysis window's minute bars that must exist; thinner symbols are skipped.",
        Unit.FRACTION,
        ">0",
        "1",
    ),
    _FILTER_OURS.integer(
        "DATA_FEED_SYMBOL_LIMIT",
        "0",
        "Streamed symbols",
        "How many symbols the data feed may stream. 0 = the broker's usual: PAPER 1000, ALPACA 30 (free feed),"
        " TRADIER 60, IBKR 50.",
        Unit.SYMBOLS,
        "0",
        "10000",
    ),
    _DEFENSE.boolean(
        "DEFENSE_MODE_ACTIVE",
        "false",
        "Defense mode now",
        "Start in defense mode; it may only reduce risk and is left after quiet sessions.",
    ),
    _DEFENSE.decimal(
        "DEFENSE_MODE_TRADE_LIMIT_PCT",
        "66",
        "Trades in defense",
        "Percent of MAX_TRADES allowed in defense mode, rounded down (66 % of 4 = 2).",
        Unit.PERCENT,
        "0",
        "100",
    ),
    _DEFENSE.decimal(
        "DEFENSE_MODE_TOTAL_ALLOCATION",
        "0.01",
        "Capital in defense",
        "Capital per session in defense mode; at most TOTAL_ALLOCATION.",
        Unit.FRACTION,
        "0",
        "1",
    ),
    _DEFENSE_OURS.decimal(
        "DEFENSE_DRAWDOWN",
        "0.05",
        "Drawdown that defends",
        "Fall from the 20-session peak of equity at which defense mode starts.",
        Unit.FRACTION,
        ">0",
        "1",
    ),
    _DEFENSE_OURS.integer(
        "DEFENSE_LOSING_DAYS",
        "3",
        "Losing days that defend",
        "Losing sessions in a row at which defense mode starts.",
        Unit.SESSIONS,
        "1",
        "100",
    ),
    _DEFENSE_OURS.decimal(
        "DEFENSE_VIX",
        "40",
        "VIX that defends",
        "VIX at which defense mode starts.",
        Unit.POINTS,
        ">0",
        "200",
    ),
    _DEFENSE_OURS.integer(
        "DEFENSE_RECOVERY_SESSIONS",
        "5",
        "Quiet sessions",
        "Sessions without a cause after which defense mode ends.",
        Unit.SESSIONS,
        "1",
        "100",
    ),
    _REBALANCE.boolean(
        "REBALANCE_ENABLED", "true", "Watch the float", "Compare equity with the target float and propose."
    ),
    _REBALANCE.decimal(
        "REBALANCE_THRESHOLD",
        "0.10",
        "Deviation that proposes",
        "Deviation of equity from the target float at which a proposal is written (0.10 = 10 %).",
        Unit.FRACTION,
        ">0",
        "1",
    ),
    _REBALANCE.integer(
        "REBALANCE_CHECK_INTERVAL",
        "3600",
        "Check every",
        "Seconds between two checks of the float.",
        Unit.SECONDS,
        "60",
        "86400",
        "rebalance_check_interval_s",
    ),
    _REBALANCE.boolean(
        "ENABLE_REBALANCE_NOTIFIER", "true", "Tell accounting", "Send a message when the float deviates."
    ),
    _REBALANCE.decimal(
        "REBALANCE_TRIGGER_PCT",
        "10",
        "Deviation that is told",
        "Percent of deviation, up or down, at which accounting is told (10 = 10 %).",
        Unit.PERCENT,
        ">0",
        "100",
    ),
)
