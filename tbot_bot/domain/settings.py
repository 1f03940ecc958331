"""The configuration as the rest of the bot sees it: parsed, typed, frozen.

A field has its key's name in lower case, with the unit added where the key leaves it out (`_s`, `_ms`); the
fields of a strategy drop the strategy's name. Fractions are of 1 (0.02 = 2 %) unless a docstring says percent. Built by
`config.parse`, which refuses anything out of range: whoever holds one of these need not check it again.
"""

from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal
from enum import IntEnum, StrEnum
from urllib.parse import urlsplit

from tbot_bot.domain.session import StrategyName


class BuildMode(StrEnum):
    DEBUG = "debug"
    RELEASE = "release"


class LogLevel(StrEnum):
    QUIET = "quiet"
    INFO = "info"
    VERBOSE = "verbose"


class ServiceStop(StrEnum):
    """What a stop of the service does to open positions."""

    KEEP = "keep"
    FLATTEN = "flatten"


class LogFormat(StrEnum):
    JSON = "json"
    CSV = "csv"


class BrokerName(StrEnum):
    PAPER = "PAPER"
    ALPACA = "ALPACA"
    IBKR = "IBKR"
    TRADIER = "TRADIER"


class ShortType(StrEnum):
    INVERSE_ETF = "InverseETF"
    SHORT_SELL = "ShortSell"
    LONG_PUT = "LongPut"
    DISABLED = "disabled"


class ScheduleAnchor(StrEnum):
    """What a START_TIME means: a distance from the session's open or close, or a fixed UTC time."""

    MARKET = "market"
    UTC = "utc"


class Weekday(IntEnum):
    """Numbered as `date.weekday()` does."""

    MON = 0
    TUE = 1
    WED = 2
    THU = 3
    FRI = 4


class LedgerExportMode(StrEnum):
    AUTO = "auto"
    OFF = "off"


class AlertChannel(StrEnum):
    EMAIL = "email"
    SLACK = "slack"
    SMS = "sms"
    PAGERDUTY = "pagerduty"


class UserRole(StrEnum):
    """What a user may do; each includes the one before."""

    VIEWER = "viewer"
    TRADER = "trader"
    ADMIN = "admin"


class OptimizerAlgorithm(StrEnum):
    GRID_SEARCH = "grid_search"
    BAYESIAN = "bayesian"
    GENETIC = "genetic"


class SlippageType(StrEnum):
    NONE = "none"
    RULE_BASED = "rule_based"
    RANDOMIZED = "randomized"


class RiskFreeRateSource(StrEnum):
    STATIC = "static"
    DYNAMIC = "dynamic"


@dataclass(frozen=True, slots=True)
class GeneralSettings:
    version_tag: str
    build_mode: BuildMode
    disable_all_trades: bool
    debug_log_level: LogLevel
    enable_logging: bool
    log_format: LogFormat


@dataclass(frozen=True, slots=True)
class ExecutionSettings:
    """How orders are sent and positions left. `trail_tightening_factor` multiplies the trail near flat-by."""

    trade_confirmation_required: bool
    api_retry_limit: int
    api_timeout_s: int
    fractional: bool
    price_collar_pct: Decimal
    max_orders_per_minute: int
    max_quote_age_s: int
    flat_before_close_s: int
    service_stop: ServiceStop
    service_stop_s: int
    trail_tightening_buffer_s: int
    trail_tightening_factor: Decimal


@dataclass(frozen=True, slots=True)
class RiskSettings:
    """Fractions of the equity at session start; `weights` are fractions of the session cap, one a trade."""

    total_allocation: Decimal
    max_trades: int
    weights: tuple[Decimal, ...]
    daily_loss_limit: Decimal
    max_risk_per_trade: Decimal
    max_open_positions: int
    max_exposure: Decimal
    max_daily_notional: Decimal


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """Prices USD, volume shares a day. `min_analysis_coverage`: fraction of the analysis bars that must exist."""

    min_price: Decimal
    max_price: Decimal
    min_volume_threshold: int
    max_spread_pct: Decimal
    enable_funnhub_fundamentals_filter: bool
    max_pe_ratio: Decimal
    max_debt_equity: Decimal
    fundamentals_missing_allowed: bool
    market_cap_missing_allowed: bool
    candidate_multiplier: int
    min_analysis_coverage: Decimal
    data_feed_symbol_limit: int


@dataclass(frozen=True, slots=True)
class RoutingSettings:
    """`strategy_override`: run this strategy alone; None = the enabled ones in `strategy_sequence`'s order."""

    broker_name: BrokerName
    strategy_sequence: tuple[StrategyName, ...]
    strategy_override: StrategyName | None


@dataclass(frozen=True, slots=True)
class RebalanceSettings:
    """`rebalance_threshold` is a fraction; `rebalance_trigger_pct` is a percent (10 = 10 %)."""

    rebalance_enabled: bool
    rebalance_threshold: Decimal
    rebalance_check_interval_s: int
    enable_rebalance_notifier: bool
    rebalance_trigger_pct: Decimal


@dataclass(frozen=True, slots=True)
class FailoverSettings:
    failover_enabled: bool
    failover_log_tag: str


@dataclass(frozen=True, slots=True)
class TimingSettings:
    trading_days: frozenset[Weekday]
    sleep_time_ms: int
    schedule_anchor: ScheduleAnchor


@dataclass(frozen=True, slots=True)
class StrategySettings:
    """What every strategy has. `start_utc` is naive: a time of day in UTC as written (see ScheduleAnchor).

    Market caps in USD; `max_gap`, `trail_pct` (0 = off) and `stop_pct` are fractions of the price."""

    enabled: bool
    start_utc: time
    analysis_minutes: int
    breakout_minutes: int
    monitoring_minutes: int
    max_gap: Decimal
    min_market_cap: Decimal
    max_market_cap: Decimal
    short_type: ShortType
    trail_pct: Decimal
    stop_pct: Decimal


@dataclass(frozen=True, slots=True)
class OpenSettings(StrategySettings):
    """`open_buffer`: fraction beyond the opening range; `target_r_open`: target in stop distances."""

    open_buffer: Decimal
    target_r_open: Decimal


@dataclass(frozen=True, slots=True)
class MidSettings(StrategySettings):
    """`vwap_threshold`: fraction away from VWAP; `adx_max`: ADX(14) above which no reversion is expected."""

    vwap_threshold: Decimal
    adx_max: Decimal


@dataclass(frozen=True, slots=True)
class CloseSettings(StrategySettings):
    """`vix_threshold` in index points; `fade_z` and `momentum_z` in standard deviations."""

    vix_threshold: Decimal
    fade_z: Decimal
    momentum_z: Decimal


@dataclass(frozen=True, slots=True)
class Strategies:
    open: OpenSettings
    mid: MidSettings
    close: CloseSettings

    def of(self, name: StrategyName) -> StrategySettings:
        """The settings that all strategies share, of one of them."""
        match name:
            case StrategyName.OPEN:
                return self.open
            case StrategyName.MID:
                return self.mid
            case StrategyName.CLOSE:
                return self.close


@dataclass(frozen=True, slots=True)
class NotifySettings:
    notify_on_fill: bool
    notify_on_exit: bool
    notify_on_failure: bool
    critical_alert_channel: AlertChannel
    routine_alert_channel: AlertChannel


@dataclass(frozen=True, slots=True)
class ReportingSettings:
    ledger_export_mode: LedgerExportMode


@dataclass(frozen=True, slots=True)
class DefenseSettings:
    """`defense_mode_trade_limit_pct` is a percent of MAX_TRADES (66 = 66 %), rounded down; the rest fractions."""

    defense_mode_active: bool
    defense_mode_trade_limit_pct: Decimal
    defense_mode_total_allocation: Decimal
    defense_drawdown: Decimal
    defense_losing_days: int
    defense_vix: Decimal
    defense_recovery_sessions: int


@dataclass(frozen=True, slots=True)
class AccessSettings:
    rbac_enabled: bool
    default_user_role: UserRole


@dataclass(frozen=True, slots=True)
class OptimizerSettings:
    enable_strategy_optimizer: bool
    optimizer_backtest_lookback_days: int
    optimizer_algorithm: OptimizerAlgorithm
    optimizer_output_dir: str


@dataclass(frozen=True, slots=True)
class SlippageSettings:
    """`*_pct` are percents of the price (0.15 = 0.15 %), as in the seeds."""

    enable_slippage_model: bool
    slippage_simulation_type: SlippageType
    slippage_mean_pct: Decimal
    slippage_stddev_pct: Decimal
    simulated_latency_ms: int


@dataclass(frozen=True, slots=True)
class BsmSettings:
    """Black–Scholes guard of option entries; `risk_free_rate` is a fraction a year."""

    enable_bsm_filter: bool
    max_bsm_deviation: Decimal
    risk_free_rate: Decimal
    risk_free_rate_source: RiskFreeRateSource


@dataclass(frozen=True, slots=True)
class BotSettings:
    """All of `.env_bot`."""

    general: GeneralSettings
    execution: ExecutionSettings
    risk: RiskSettings
    filters: FilterSettings
    routing: RoutingSettings
    rebalance: RebalanceSettings
    failover: FailoverSettings
    timing: TimingSettings
    strategies: Strategies
    notify: NotifySettings
    reporting: ReportingSettings
    defense: DefenseSettings
    access: AccessSettings
    optimizer: OptimizerSettings
    slippage: SlippageSettings
    bsm: BsmSettings

    @property
    def running_strategies(self) -> tuple[StrategyName, ...]:
        """The enabled strategies in their order; the override alone where one is set."""
        override = self.routing.strategy_override
        order = self.routing.strategy_sequence if override is None else (override,)
        return tuple(name for name in order if self.strategies.of(name).enabled)


@dataclass(frozen=True, slots=True)
class BrokerCredentials:
    """The eight broker-agnostic fields, empty where the broker needs none. Secrets stay out of `repr`."""

    broker_code: BrokerName
    broker_host: str = ""
    broker_username: str = field(default="", repr=False)
    broker_password: str = field(default="", repr=False)
    broker_account_number: str = field(default="", repr=False)
    broker_api_key: str = field(default="", repr=False)
    broker_secret_key: str = field(default="", repr=False)
    broker_url: str = ""

    @property
    def live(self) -> bool:
        """Whether orders move real money. Anything not known to be paper counts as live."""
        if self.broker_code is BrokerName.PAPER:
            return False
        host = urlsplit(self.broker_url).hostname
        return host not in {"paper-api.alpaca.markets", "sandbox.tradier.com", "localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class SecondaryCredentials:
    """Of the broker that entries go to while the first one is down; `secondary_broker_code` None: there is none."""

    secondary_broker_code: BrokerName | None
    secondary_broker_url: str = ""
    secondary_broker_host: str = ""
    secondary_broker_api_key: str = field(default="", repr=False)
    secondary_broker_secret_key: str = field(default="", repr=False)
    secondary_broker_account_number: str = field(default="", repr=False)

    @property
    def credentials(self) -> BrokerCredentials | None:
        if self.secondary_broker_code is None:
            return None
        return BrokerCredentials(
            self.secondary_broker_code,
            broker_host=self.secondary_broker_host,
            broker_account_number=self.secondary_broker_account_number,
            broker_api_key=self.secondary_broker_api_key,
            broker_secret_key=self.secondary_broker_secret_key,
            broker_url=self.secondary_broker_url,
        )
