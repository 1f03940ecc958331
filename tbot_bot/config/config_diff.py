"""What a save changes: for the audit log, and to see whether it raises a risk limit or goes live."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from tbot_bot.config.config_encryption import CATEGORY_OF, raw_values
from tbot_bot.config.keys import KeySpec, Risk, Store
from tbot_bot.config.parse import ParsedConfig
from tbot_bot.config.schema import BY_NAME, KEYS
from tbot_bot.config.schema_risk import BY_RISK
from tbot_bot.config.values import Refused, Value, to_value
from tbot_bot.domain.errors import TbotError
from tbot_bot.support.decrypt_secrets import GenerationFolder, in_folder

Fingerprint = Callable[[KeySpec, str], str]
_HEX = 8
_OFF = Decimal("Infinity")
_ROUTE = ("BROKER_NAME",)


def changes_between(before: Path | None, after: Path) -> dict[str, Any]:
    """{key: [old, new]} of two generations' folders, secrets as fingerprints; None before = a new installation, whose
    old values are the defaults. In place of what cannot be read, {"": [why, ""]}: a damaged old configuration must not
    keep a new one from being saved."""
    try:
        new, mark = in_folder(after, lambda folder: (raw_values(folder), _fingerprint(folder)), "audit of a save")
        old = in_folder(before, raw_values, "audit of a save") if before is not None else _defaults()
    except (TbotError, OSError) as error:
        return {"": [f"the earlier configuration cannot be read: {type(error).__name__}", ""]}
    return changes(old, new, mark)


def changes(old: Mapping[str, str], new: Mapping[str, str], mark: Fingerprint) -> dict[str, Any]:
    """{key: [old, new]} of the keys whose text differs; a secret is shown by `mark`, an empty one as empty."""
    found = {}
    for spec in KEYS:
        was, now = (values.get(spec.name, spec.default) for values in (old, new))
        if was != now:
            found[spec.name] = [_shown(spec, was, mark), _shown(spec, now, mark)]
    return found


def raised(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """The keys by which `new` risks more than `old`, each by itself."""
    return tuple(spec.name for spec in KEYS if spec.risk is not Risk.NONE and _raises(spec, old, new))


def goes_live(old: ParsedConfig | None, new: ParsedConfig) -> tuple[str, ...]:
    """The keys by which `new` moves real money where `old` did not, or moves it by another way; None = unknown."""
    if not new.broker.live and not (new.secondary is not None and new.secondary.live):
        return ()
    way = [spec.name for spec in KEYS if spec.store is Store.BROKER or spec.name in _ROUTE]
    return tuple(name for name in way if (new.raw[name] if old is None else old.raw[name] != new.raw[name]))


def _raises(spec: KeySpec, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    was, now = (_amount(spec, values.get(spec.name, spec.default)) for values in (old, new))
    if now is None:
        return False
    if was is None:
        return True
    return now < was if spec.risk is Risk.LOWER else now > was


def _amount(spec: KeySpec, text: str) -> Decimal | None:
    """The number by which values of a key compare; None when the text is no value of it (any more)."""
    value = to_value(spec, text)
    if isinstance(value, Refused) or value is None:
        return None
    number = _number(value)
    off = spec.risk is Risk.HIGHER_OR_OFF and number == 0
    return _OFF if off else number


def _number(value: Value) -> Decimal:
    match value:
        case tuple():
            # Together: each trade by itself is bounded by MAX_RISK_PER_TRADE.
            return sum((Decimal(str(item)) for item in value), Decimal(0))
        case Enum():
            return Decimal(BY_RISK[type(value)].index(value))
        case _:
            return Decimal(str(int(value) if isinstance(value, bool) else value))


def _shown(spec: KeySpec, text: str, mark: Fingerprint) -> str:
    return mark(spec, text) if spec.secret and text else text


def _fingerprint(folder: GenerationFolder) -> Fingerprint:
    """Keyed with the category's own key: without it not even a short secret can be guessed from the audit log."""
    keys = {spec.name: folder.keys(CATEGORY_OF[spec.store])[0] for spec in KEYS if spec.secret}

    def mark(spec: KeySpec, text: str) -> str:
        message = f"tbot-config-diff|{spec.name}|{text}".encode()
        return f"#{hmac.new(keys[spec.name], message, hashlib.sha256).hexdigest()[:_HEX]}"

    return mark


def _defaults() -> Mapping[str, str]:
    return {name: spec.default for name, spec in BY_NAME.items()}
