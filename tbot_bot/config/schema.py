"""The one table of every configuration key, and looking keys up in it."""

import difflib
from collections.abc import Mapping
from dataclasses import replace

from tbot_bot.config import schema_backup, schema_broker, schema_env, schema_expert, schema_money, schema_strategies
from tbot_bot.config.keys import KeySpec, Risk, Store
from tbot_bot.config.schema_risk import RISK

NOT_USED_YET = frozenset(
    [
        "FAILOVER_ENABLED",
        "FAILOVER_LOG_TAG",
        "ENTITY_CODE",
        "JURISDICTION_CODE",
        "SCREENER_API_KEY",
        "NOTIFY_ON_FAILURE",
        "CRITICAL_ALERT_CHANNEL",
        "ROUTINE_ALERT_CHANNEL",
        "ALERT_URL_EMAIL",
        "ALERT_URL_SLACK",
        "ALERT_URL_SMS",
        "ALERT_URL_PAGERDUTY",
        "REBALANCE_ENABLED",
        "REBALANCE_THRESHOLD",
        "REBALANCE_CHECK_INTERVAL",
        "ENABLE_REBALANCE_NOTIFIER",
        "REBALANCE_TRIGGER_PCT",
        "LEDGER_EXPORT_MODE",
        "ENABLE_STRATEGY_OPTIMIZER",
        "OPTIMIZER_BACKTEST_LOOKBACK_DAYS",
        "OPTIMIZER_ALGORITHM",
        "OPTIMIZER_OUTPUT_DIR",
        "ENABLE_BSM_FILTER",
        "MAX_BSM_DEVIATION",
        "RISK_FREE_RATE",
        "RISK_FREE_RATE_SOURCE",
    ]
)
"""Keys that are checked and kept, and that nothing acts on in this release; their help says so."""


def _complete(spec: KeySpec) -> KeySpec:
    """The row with what other tables say about its key."""
    said = f"{spec.help} Kept, not used by this release." if spec.name in NOT_USED_YET else spec.help
    return replace(spec, help=said, risk=RISK.get(spec.name, Risk.NONE))


KEYS: tuple[KeySpec, ...] = tuple(
    _complete(spec)
    for spec in (
        *schema_broker.KEYS,
        *schema_money.KEYS,
        *schema_strategies.KEYS,
        *schema_expert.KEYS,
        *schema_env.KEYS,
        *schema_backup.KEYS,
    )
)
"""Every key, in the order of the configuration page."""

BY_NAME: Mapping[str, KeySpec] = {spec.name: spec for spec in KEYS}
ALIASES: Mapping[str, str] = {alias: spec.name for spec in KEYS for alias in spec.aliases}


def find(name: str) -> KeySpec | None:
    """The key called `name`, by its own name or an alias."""
    return BY_NAME.get(ALIASES.get(name, name))


def nearest(name: str) -> str:
    """The known name most like `name`, or "" when none is near."""
    close = difflib.get_close_matches(name.upper()[:80], [*BY_NAME, *ALIASES], n=1, cutoff=0.6)
    return close[0] if close else ""


def keys_of(store: Store) -> tuple[KeySpec, ...]:
    """The keys that are kept in `store`, in the table's order."""
    return tuple(spec for spec in KEYS if spec.store is store)
