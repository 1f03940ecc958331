"""Rules between keys. Each names its fields and is asked only when all of them are right by themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from typing import cast
from urllib.parse import urlsplit

from tbot_bot.config.values import Value
from tbot_bot.domain.session import StrategyName
from tbot_bot.domain.settings import BrokerName, ScheduleAnchor, ShortType
from tbot_bot.support.loopback import is_loopback

_OPEN_STANDARD = 14 * 60 + 30
_OPEN_DAYLIGHT = 13 * 60 + 30
_CLOSE_STANDARD = 21 * 60
"""Minutes after midnight UTC: 09:30 EST, 09:30 EDT and 16:00 EST."""


@dataclass(frozen=True, slots=True)
class Values:
    """The parsed values by key, with their types said again. Asking for a key of another type is a bug of the rule."""

    by_name: Mapping[str, Value]

    def number(self, name: str) -> Decimal:
        return Decimal(cast("Decimal | int", self.by_name[name]))

    def flag(self, name: str) -> bool | None:
        return cast("bool | None", self.by_name[name])

    def text(self, name: str) -> str:
        return cast("str", self.by_name[name])

    def broker(self) -> BrokerName:
        return cast("BrokerName", self.by_name["BROKER_NAME"])

    def numbers(self, name: str) -> tuple[Decimal, ...]:
        return cast("tuple[Decimal, ...]", self.by_name[name])

    def strategies(self) -> tuple[StrategyName, ...]:
        return cast("tuple[StrategyName, ...]", self.by_name["STRATEGY_SEQUENCE"])

    def minutes(self, name: str) -> int:
        at = cast("time", self.by_name[name])
        return at.hour * 60 + at.minute


@dataclass(frozen=True, slots=True)
class Rule:
    """`check` returns what is wrong, in words, or None. The fault shows at the first of `fields`; `about` is the
    rule in one line, for the reference page."""

    about: str
    fields: tuple[str, ...]
    check: Callable[[Values], str | None]


def _at_most(lesser: str, greater: str, reason: str = "") -> Rule:
    def check(values: Values) -> str | None:
        low, high = values.number(lesser), values.number(greater)
        return f"{low:f} is above {greater} = {high:f}{reason}" if low > high else None

    return Rule(f"{lesser} ≤ {greater}.", (lesser, greater), check)


def _weights(values: Values) -> str | None:
    weights, trades = values.numbers("WEIGHTS"), values.number("MAX_TRADES")
    if len(weights) != trades:
        return f"has {len(weights)} entries, but MAX_TRADES is {trades}: give each trade its weight"
    total = sum(weights)
    return f"add up to {total:f}, which is more than 1" if total > 1 else None


def _something_runs(values: Values) -> str | None:
    runs = [name for name in values.strategies() if values.flag(f"STRAT_{name.upper()}_ENABLED")]
    return None if runs else "no strategy would run: enable at least one that is named here"


def _override_runs(values: Values) -> str | None:
    override = cast("StrategyName | None", values.by_name["STRATEGY_OVERRIDE"])
    if override is None or values.flag(f"STRAT_{override.upper()}_ENABLED"):
        return None
    return f"selects {override}, which is disabled: set STRAT_{override.upper()}_ENABLED=true or clear the override"


def _window(strategy: StrategyName) -> Rule:
    key = strategy.upper()
    start, analysis, breakout = f"START_TIME_{key}", f"{key}_ANALYSIS_TIME", f"{key}_BREAKOUT_TIME"

    def check(values: Values) -> str | None:
        literal = values.by_name["SCHEDULE_ANCHOR"] is ScheduleAnchor.UTC
        begin = values.minutes(start)
        opens = _OPEN_DAYLIGHT if literal else _OPEN_STANDARD
        if begin < opens:
            return f"is before the session opens at {opens // 60:02d}:{opens % 60:02d} UTC"
        last_minute = _CLOSE_STANDARD - values.number("FLAT_BEFORE_CLOSE_S") / 60
        end = begin + values.number(analysis) + values.number(breakout)
        if end > last_minute:
            return (
                "with analysis and entry window it ends after the session's close at 21:00 UTC less FLAT_BEFORE_CLOSE_S"
            )
        return None

    about = (
        f"{start} + {analysis} + {breakout} lies within the session (14:30, or 13:30 with SCHEDULE_ANCHOR=utc, to 21:00"
        " UTC less FLAT_BEFORE_CLOSE_S)."
    )
    return Rule(about, (start, analysis, breakout, "FLAT_BEFORE_CLOSE_S", "SCHEDULE_ANCHOR"), check)


def _puts(strategy: StrategyName) -> Rule:
    key = f"SHORT_TYPE_{strategy.upper()}"

    def check(values: Values) -> str | None:
        if values.by_name[key] is ShortType.LONG_PUT:
            return "LongPut needs options, which no broker trades in this release: choose another"
        return None

    return Rule(f"{key}=LongPut is not in this release.", (key,), check)


def _toggle(broker: BrokerName) -> Rule:
    key = f"{broker}_ENABLED"

    def check(values: Values) -> str | None:
        flag, chosen = values.flag(key), values.broker()
        if flag is None or flag == (chosen is broker):
            return None
        return f"contradicts BROKER_NAME={chosen}: clear it or make it {str(chosen is broker).lower()}"

    return Rule(f"{key}, where set, agrees with BROKER_NAME.", (key, "BROKER_NAME"), check)


def _broker_code(values: Values) -> str | None:
    code = values.by_name["BROKER_CODE"]
    return None if code is None or code is values.broker() else f"must be empty or {values.broker()}, as BROKER_NAME is"


def _needed(broker: BrokerName, key: str, what: str) -> Rule:
    """By a broker, as the first or as the secondary one."""

    def check(values: Values) -> str | None:
        if values.broker() is broker and not values.text(key):
            return f"{broker} needs {what}: copy it from the broker's website, or choose PAPER"
        return None

    return Rule(f"BROKER_NAME={broker} needs {key}.", (key, "BROKER_NAME"), check)


def _secondary(values: Values) -> str | None:
    code = values.by_name["SECONDARY_BROKER_CODE"]
    if code is None:
        return None
    # For the first broker's account at the embedded exchange keys are made; a second account there needs its own.
    needed = [key for of, key, _ in _CREDENTIALS if of is (BrokerName.ALPACA if code is BrokerName.PAPER else code)]
    missing = [f"SECONDARY_{key}" for key in needed if not values.text(f"SECONDARY_{key}")]
    if missing:
        return f"{code} needs {' and '.join(missing)}"
    same = code is values.broker() and all(
        values.text(key) == values.text(f"SECONDARY_{key}") for key in ("BROKER_API_KEY", "BROKER_ACCOUNT_NUMBER")
    )
    return "is the same account as the first broker's: failover needs a second one" if same else None


def _paper_is_local(values: Values) -> str | None:
    url = values.text("BROKER_URL")
    if values.broker() is not BrokerName.PAPER or not url or is_loopback(urlsplit(url).hostname or ""):
        return None
    return "PAPER is on this machine: leave it empty or use http://127.0.0.1:8090; for Alpaca set BROKER_NAME=ALPACA"


def _s3_target(values: Values) -> str | None:
    keys = (values.text("BACKUP_TARGET_ACCESS_KEY"), values.text("BACKUP_TARGET_SECRET_KEY"))
    if values.text("BACKUP_TARGET_URL").startswith("s3://") and not all(keys):
        return "an S3 target needs its access key and its secret key"
    return None


def _sftp_target(values: Values) -> str | None:
    keys = (values.text("BACKUP_TARGET_PASSWORD"), values.text("BACKUP_TARGET_PRIVATE_KEY"))
    if values.text("BACKUP_TARGET_URL").startswith("sftp://") and not any(keys):
        return "an SFTP target needs a password or a private key"
    return None


def _sessions(values: Values) -> str | None:
    idle, longest = values.number("SESSION_TIMEOUT"), values.number("SESSION_TIMEOUT_MINUTES") * 60
    return f"{idle} s idle is longer than the longest login, {longest} s" if idle > longest else None


_CREDENTIALS = (
    (BrokerName.ALPACA, "BROKER_API_KEY", "an API key"),
    (BrokerName.ALPACA, "BROKER_SECRET_KEY", "an API secret"),
    (BrokerName.TRADIER, "BROKER_API_KEY", "an access token"),
    (BrokerName.TRADIER, "BROKER_ACCOUNT_NUMBER", "an account number"),
)
_SECONDARY_KEYS = tuple(f"SECONDARY_{key}" for key in dict.fromkeys(key for _, key, _ in _CREDENTIALS))
_ENABLED = tuple(f"STRAT_{name.upper()}_ENABLED" for name in StrategyName)

RULES: tuple[Rule, ...] = (
    Rule("WEIGHTS has MAX_TRADES entries, together at most 1.", ("WEIGHTS", "MAX_TRADES"), _weights),
    _at_most("MIN_PRICE", "MAX_PRICE"),
    *(_at_most(f"MIN_MARKET_CAP_{name.upper()}", f"MAX_MARKET_CAP_{name.upper()}") for name in StrategyName),
    _at_most("MAX_RISK_PER_TRADE", "MAX_EXPOSURE", ": one trade alone could break it"),
    _at_most("TOTAL_ALLOCATION", "MAX_EXPOSURE", ": one session alone could break it"),
    _at_most("TOTAL_ALLOCATION", "MAX_DAILY_NOTIONAL", ": one session alone could break it"),
    _at_most("DEFENSE_MODE_TOTAL_ALLOCATION", "TOTAL_ALLOCATION", ": defense may only reduce risk"),
    _at_most("STRAT_CLOSE_MOMENTUM_Z", "STRAT_CLOSE_FADE_Z", ": every move would be faded before it is followed"),
    Rule("At least one strategy of STRATEGY_SEQUENCE is enabled.", ("STRATEGY_SEQUENCE", *_ENABLED), _something_runs),
    Rule("STRATEGY_OVERRIDE, where set, names an enabled strategy.", ("STRATEGY_OVERRIDE", *_ENABLED), _override_runs),
    *(_window(name) for name in StrategyName),
    *(_puts(name) for name in StrategyName),
    *(_toggle(broker) for broker in (BrokerName.ALPACA, BrokerName.IBKR, BrokerName.TRADIER)),
    Rule("BROKER_CODE, where set, equals BROKER_NAME.", ("BROKER_CODE", "BROKER_NAME"), _broker_code),
    Rule(
        "With BROKER_NAME=PAPER, BROKER_URL is empty or on this machine.",
        ("BROKER_URL", "BROKER_NAME"),
        _paper_is_local,
    ),
    Rule(
        "BACKUP_TARGET_URL=s3://… needs BACKUP_TARGET_ACCESS_KEY and BACKUP_TARGET_SECRET_KEY.",
        ("BACKUP_TARGET_URL", "BACKUP_TARGET_ACCESS_KEY", "BACKUP_TARGET_SECRET_KEY"),
        _s3_target,
    ),
    Rule(
        "BACKUP_TARGET_URL=sftp://… needs BACKUP_TARGET_PASSWORD or BACKUP_TARGET_PRIVATE_KEY.",
        ("BACKUP_TARGET_URL", "BACKUP_TARGET_PASSWORD", "BACKUP_TARGET_PRIVATE_KEY"),
        _sftp_target,
    ),
    *(_needed(broker, key, what) for broker, key, what in _CREDENTIALS),
    Rule(
        "SECONDARY_BROKER_CODE, where set, has credentials of an account of its own.",
        ("SECONDARY_BROKER_CODE", *_SECONDARY_KEYS, "BROKER_NAME", "BROKER_API_KEY", "BROKER_ACCOUNT_NUMBER"),
        _secondary,
    ),
    Rule(
        "SESSION_TIMEOUT (idle seconds) is at most SESSION_TIMEOUT_MINUTES (whole login).",
        ("SESSION_TIMEOUT", "SESSION_TIMEOUT_MINUTES"),
        _sessions,
    ),
)
