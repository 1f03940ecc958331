"""The one table of every configuration key, and looking keys up in it."""

import difflib
from collections.abc import Mapping

from tbot_bot.config import schema_broker, schema_env, schema_expert, schema_money, schema_strategies
from tbot_bot.config.keys import KeySpec, Store

KEYS: tuple[KeySpec, ...] = (
    *schema_broker.KEYS,
    *schema_money.KEYS,
    *schema_strategies.KEYS,
    *schema_expert.KEYS,
    *schema_env.KEYS,
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
