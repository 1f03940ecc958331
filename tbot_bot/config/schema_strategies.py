"""Keys of `.env_bot` for the strategies: order, days, and each strategy's window, universe, signal and exits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tbot_bot.config.keys import Group, KeySpec, Place, Store, Unit
from tbot_bot.domain.session import StrategyName
from tbot_bot.domain.settings import ScheduleAnchor, ShortType, Weekday

_ORDER = Place(Store.ENV_BOT, Group.STRATEGIES, "Order", "routing")
_TIMING = Place(Store.ENV_BOT, Group.STRATEGIES, "Days and clock", "timing")


@dataclass(frozen=True, slots=True)
class _Defaults:
    """What differs between the strategies in the keys that all three have."""

    what: str
    start: str
    start_meaning: str
    analysis: str
    breakout: str
    monitoring: str
    stop: str


_DEFAULTS = {
    StrategyName.OPEN: _Defaults(
        "opening range breakout", "14:30", "14:30 = 09:30 in New York", "20", "10", "30", "0.02"
    ),
    StrategyName.MID: _Defaults("VWAP reversion", "15:30", "15:30 = 10:30 in New York", "15", "10", "30", "0.015"),
    StrategyName.CLOSE: _Defaults(
        "end-of-day momentum and fade", "19:30", "19:30 = 14:30 in New York", "5", "5", "25", "0.01"
    ),
}


def _place(name: StrategyName) -> Place:
    return Place(Store.ENV_BOT, Group.STRATEGIES, f"{name.upper()} strategy", f"strategies.{name}")


def _window(name: StrategyName) -> Sequence[KeySpec]:
    key, place, own = name.upper(), _place(name), _DEFAULTS[name]
    return (
        place.boolean(f"STRAT_{key}_ENABLED", "true", f"{key} on", f"Run the {key} strategy: {own.what}.", "enabled"),
        place.time(
            f"START_TIME_{key}",
            own.start,
            "Start",
            f"Start of the analysis in UTC as of standard time ({own.start_meaning}); see SCHEDULE_ANCHOR.",
            "start_utc",
        ),
        place.integer(
            f"{key}_ANALYSIS_TIME",
            own.analysis,
            "Analysis",
            "Minutes watched before a signal may come.",
            Unit.MINUTES,
            "1",
            "180",
            "analysis_minutes",
        ),
        place.integer(
            f"{key}_BREAKOUT_TIME",
            own.breakout,
            "Entry window",
            "Minutes after the analysis in which a signal may enter.",
            Unit.MINUTES,
            "1",
            "180",
            "breakout_minutes",
        ),
        place.integer(
            f"{key}_MONITORING_TIME",
            own.monitoring,
            "Hold at most",
            "Minutes from the entry after which a position is left.",
            Unit.MINUTES,
            "1",
            "390",
            "monitoring_minutes",
        ),
    )


def _universe(name: StrategyName) -> Sequence[KeySpec]:
    key, place = name.upper(), _place(name)
    return (
        place.decimal(
            f"MAX_GAP_PCT_{key}",
            "0.1",
            "Largest gap",
            "Move from the day's open to the current price above which a symbol is left out (0.1 = 10 %).",
            Unit.FRACTION,
            ">0",
            "1",
            "max_gap",
        ),
        place.decimal(
            f"MIN_MARKET_CAP_{key}",
            "2000000000",
            "Smallest company",
            "Market cap below which a symbol is left out.",
            Unit.USD,
            "0",
            "100000000000000",
            "min_market_cap",
        ),
        place.decimal(
            f"MAX_MARKET_CAP_{key}",
            "10000000000",
            "Largest company",
            "Market cap above which a symbol is left out.",
            Unit.USD,
            ">0",
            "100000000000000",
            "max_market_cap",
        ),
        place.choice(
            f"SHORT_TYPE_{key}",
            "InverseETF",
            "Bearish signals",
            "How a bearish signal is traded: an inverse ETF, a short sale, a put (not in this release), or not at all.",
            ShortType,
            "short_type",
        ),
    )


def _exits(name: StrategyName) -> Sequence[KeySpec]:
    key, place = name.upper(), replace(_place(name), ours=True, advanced=True)
    return (
        place.decimal(
            f"TRAIL_PCT_{key}",
            "0.02",
            "Trailing stop",
            "Distance from the best price since entry; 0 = no trailing stop.",
            Unit.FRACTION,
            "0",
            "0.5",
            "trail_pct",
        ),
        place.decimal(
            f"STOP_PCT_{key}",
            _DEFAULTS[name].stop,
            "Stop",
            "Distance of the stop from the entry price.",
            Unit.FRACTION,
            ">0",
            "0.5",
            "stop_pct",
        ),
    )


_OPEN = _place(StrategyName.OPEN)
_MID = _place(StrategyName.MID)
_CLOSE = _place(StrategyName.CLOSE)

_SIGNALS = {
    StrategyName.OPEN: (
        _OPEN.decimal(
            "STRAT_OPEN_BUFFER",
            "0.02",
            "Breakout buffer",
            "How far beyond the opening range a close must be (0.02 = 2 %).",
            Unit.FRACTION,
            "0",
            "0.5",
            "open_buffer",
        ),
        replace(_OPEN, ours=True, advanced=True).decimal(
            "TARGET_R_OPEN",
            "2",
            "Target",
            "Profit target in multiples of the stop's distance.",
            Unit.TIMES,
            ">0",
            "100",
        ),
    ),
    StrategyName.MID: (
        _MID.decimal(
            "STRAT_MID_VWAP_THRESHOLD",
            "0.02",
            "Distance from VWAP",
            "Deviation from VWAP that enters (0.02 = 2 %).",
            Unit.FRACTION,
            ">0",
            "0.5",
            "vwap_threshold",
        ),
        replace(_MID, ours=True, advanced=True).decimal(
            "ADX_MAX",
            "25",
            "Strongest trend",
            "ADX(14) above which a return to VWAP is not expected.",
            Unit.NONE,
            ">0",
            "100",
        ),
    ),
    StrategyName.CLOSE: (
        _CLOSE.decimal(
            "STRAT_CLOSE_VIX_THRESHOLD",
            "15",
            "Least VIX",
            "VIX below which CLOSE does not trade; an unknown VIX counts as below.",
            Unit.POINTS,
            "0",
            "200",
            "vix_threshold",
        ),
        replace(_CLOSE, ours=True, advanced=True).decimal(
            "STRAT_CLOSE_FADE_Z",
            "3",
            "Fade from",
            "Size of the window's move at which it is faded.",
            Unit.SIGMA,
            ">0",
            "20",
            "fade_z",
        ),
        replace(_CLOSE, ours=True, advanced=True).decimal(
            "STRAT_CLOSE_MOMENTUM_Z",
            "1",
            "Follow from",
            "Size of the window's move at which it is followed.",
            Unit.SIGMA,
            ">0",
            "20",
            "momentum_z",
        ),
    ),
}

KEYS: tuple[KeySpec, ...] = (
    _ORDER.choices(
        "STRATEGY_SEQUENCE",
        "open,mid,close",
        "Order",
        "Strategies in their order; one left out does not run.",
        StrategyName,
    ),
    replace(
        _ORDER.choice(
            "STRATEGY_OVERRIDE",
            "",
            "Only this strategy",
            "Run one strategy alone; empty = the normal order.",
            StrategyName,
        ),
        optional=True,
    ),
    _TIMING.choices(
        "TRADING_DAYS",
        "mon,tue,wed,thu,fri",
        "Trading days",
        "Days on which the bot trades, when the exchange is open.",
        Weekday,
    ),
    replace(_TIMING, ours=True, advanced=True).choice(
        "SCHEDULE_ANCHOR",
        "market",
        "Clock",
        "market: start times keep their distance to the session's open (OPEN, MID) or close (CLOSE), through"
        " daylight saving and half days. utc: start times are taken literally.",
        ScheduleAnchor,
    ),
    *(row for name in StrategyName for row in (*_window(name), *_SIGNALS[name], *_universe(name), *_exits(name))),
)
