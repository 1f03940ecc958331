"""Keys of `.env_bot` that few need to touch: logs, order handling, ledger, users, optimiser, slippage, options."""

from dataclasses import replace

from tbot_bot.config.keys import Group, KeySpec, Kind, Place, Store, Unit
from tbot_bot.domain.settings import (
    BuildMode,
    LedgerExportMode,
    LogFormat,
    LogLevel,
    OptimizerAlgorithm,
    RiskFreeRateSource,
    ServiceStop,
    SlippageType,
    UserRole,
)


def _expert(subgroup: str, section: str) -> Place:
    return Place(Store.ENV_BOT, Group.EXPERT, subgroup, section, advanced=True)


_GENERAL = _expert("General and logs", "general")
_ORDERS = _expert("Orders", "execution")
_ORDERS_OURS = replace(_ORDERS, ours=True)
_TIMING = _expert("Orders", "timing")
_REPORTS = _expert("Ledger", "reporting")
_ACCESS = _expert("Users", "access")
_OPTIMIZER = _expert("Strategy optimiser", "optimizer")
_SLIPPAGE = _expert("Backtest slippage", "slippage")
_BSM = _expert("Options guard", "bsm")

KEYS: tuple[KeySpec, ...] = (
    replace(
        _GENERAL.row(
            Kind.TEXT,
            "VERSION_TAG",
            "v1.0.0",
            "Version",
            "Version that this configuration was saved with; must match VERSION.md.",
        ),
        pattern=r"v[0-9]+\.[0-9]+\.[0-9]+",
    ),
    _GENERAL.choice(
        "BUILD_MODE", "release", "Build mode", "debug logs in most detail, whatever DEBUG_LOG_LEVEL says.", BuildMode
    ),
    _GENERAL.choice("DEBUG_LOG_LEVEL", "verbose", "Log level", "How much is logged; secrets never are.", LogLevel),
    _GENERAL.boolean(
        "ENABLE_LOGGING", "true", "Logging", "Log ordinary events. Errors and the audit log are always written."
    ),
    _GENERAL.choice(
        "LOG_FORMAT",
        "json",
        "Log format",
        "Of the trade history: json (structured) or csv (flat). Logs are always JSON lines.",
        LogFormat,
    ),
    _ORDERS.boolean(
        "TRADE_CONFIRMATION_REQUIRED",
        "false",
        "Confirm each trade",
        "Wait for a person's confirmation before an entry is sent. Exits never wait.",
    ),
    _ORDERS.integer(
        "API_RETRY_LIMIT",
        "3",
        "Retries",
        "How often a failed question to the broker is repeated. Orders are never sent again blind.",
        Unit.TIMES,
        "0",
        "10",
    ),
    _ORDERS.integer(
        "API_TIMEOUT",
        "30",
        "Timeout",
        "Seconds to wait for the broker's answer.",
        Unit.SECONDS,
        "1",
        "120",
        "api_timeout_s",
    ),
    _TIMING.duration(
        "SLEEP_TIME",
        "1s",
        "Poll interval",
        "Time between two looks at what is being watched.",
        "100",
        "60000",
        "sleep_time_ms",
    ),
    _ORDERS_OURS.decimal(
        "PRICE_COLLAR_PCT",
        "0.02",
        "Price collar",
        "Farthest an entry's price may be from the last trade.",
        Unit.FRACTION,
        ">0",
        "0.5",
    ),
    _ORDERS_OURS.integer(
        "MAX_ORDERS_PER_MINUTE",
        "30",
        "Order rate",
        "Most entry orders in a minute; exits are never refused for it.",
        Unit.PER_MINUTE,
        "1",
        "1000",
    ),
    _ORDERS_OURS.integer(
        "MAX_QUOTE_AGE_S",
        "5",
        "Oldest quote",
        "Age of a quote in seconds above which nothing is entered.",
        Unit.SECONDS,
        "1",
        "300",
    ),
    _ORDERS_OURS.integer(
        "FLAT_BEFORE_CLOSE_S",
        "60",
        "Flat before the close",
        "Seconds before the session's close by which everything is sold.",
        Unit.SECONDS,
        "0",
        "3600",
    ),
    _ORDERS_OURS.choice(
        "SERVICE_STOP",
        "keep",
        "When the service stops",
        "keep = open positions keep their orders at the broker, and the next start goes on with the session; "
        "flatten = they are closed first, and the bot waits for Start afterwards.",
        ServiceStop,
    ),
    _ORDERS_OURS.integer(
        "SERVICE_STOP_S",
        "90",
        "Time to close",
        "With SERVICE_STOP=flatten: seconds that a stop may take to close positions; what is still open then keeps its "
        "orders at the broker, and the next start goes on closing.",
        Unit.SECONDS,
        "10",
        "600",
    ),
    _ORDERS_OURS.integer(
        "TRAIL_TIGHTENING_BUFFER_S",
        "150",
        "Tighten the trail",
        "Seconds before the deadline from which trailing stops are tightened; 0 = never.",
        Unit.SECONDS,
        "0",
        "3600",
    ),
    _ORDERS_OURS.decimal(
        "TRAIL_TIGHTENING_FACTOR",
        "0.5",
        "Tighten by",
        "What the trail is multiplied with when tightened.",
        Unit.TIMES,
        ">0",
        "1",
    ),
    _REPORTS.choice(
        "LEDGER_EXPORT_MODE",
        "auto",
        "Ledger export",
        "auto = export after each trade, off = no export.",
        LedgerExportMode,
    ),
    _ACCESS.boolean("RBAC_ENABLED", "true", "Roles", "Several users with roles. false = the admin only."),
    _ACCESS.choice("DEFAULT_USER_ROLE", "viewer", "Role of new users", "What a new user may do at first.", UserRole),
    _OPTIMIZER.boolean(
        "ENABLE_STRATEGY_OPTIMIZER", "true", "Optimiser", "Offer parameter tuning. It never changes live settings."
    ),
    _OPTIMIZER.integer(
        "OPTIMIZER_BACKTEST_LOOKBACK_DAYS",
        "30",
        "Look back",
        "Historical days used for tuning.",
        Unit.DAYS,
        "5",
        "3650",
    ),
    _OPTIMIZER.choice(
        "OPTIMIZER_ALGORITHM", "grid_search", "Algorithm", "How parameters are searched.", OptimizerAlgorithm
    ),
    *_OPTIMIZER.paths(
        "Path of the {}",
        "Where tuning results are written; the layout fixes it: {}.",
        (("OPTIMIZER_OUTPUT_DIR", "backtest_results/strategy_tuning/"),),
    ),
    _SLIPPAGE.boolean("ENABLE_SLIPPAGE_MODEL", "true", "Slippage", "Make backtest fills worse than the quoted price."),
    _SLIPPAGE.choice("SLIPPAGE_SIMULATION_TYPE", "randomized", "Model", "How slippage is simulated.", SlippageType),
    _SLIPPAGE.decimal(
        "SLIPPAGE_MEAN_PCT",
        "0.15",
        "Average",
        "Average slippage in percent of the price (0.15 = 0.15 %).",
        Unit.PERCENT,
        "0",
        "10",
    ),
    _SLIPPAGE.decimal(
        "SLIPPAGE_STDDEV_PCT",
        "0.10",
        "Spread",
        "Standard deviation of slippage in percent of the price.",
        Unit.PERCENT,
        "0",
        "10",
    ),
    _SLIPPAGE.integer(
        "SIMULATED_LATENCY_MS",
        "500",
        "Latency",
        "Delay of each simulated order.",
        Unit.MILLISECONDS,
        "0",
        "60000",
    ),
    _BSM.boolean("ENABLE_BSM_FILTER", "true", "Black–Scholes guard", "Refuse options priced far from the model."),
    _BSM.decimal(
        "MAX_BSM_DEVIATION",
        "0.15",
        "Largest deviation",
        "|price / model − 1| above which an option is refused.",
        Unit.FRACTION,
        ">0",
        "1",
    ),
    _BSM.decimal(
        "RISK_FREE_RATE",
        "0.045",
        "Risk-free rate",
        "Used by the model where none is supplied.",
        Unit.PER_YEAR,
        "0",
        "0.5",
    ),
    _BSM.choice(
        "RISK_FREE_RATE_SOURCE",
        "dynamic",
        "Source of the rate",
        "static = RISK_FREE_RATE; dynamic = adjusted by JURISDICTION_CODE where known.",
        RiskFreeRateSource,
    ),
)
