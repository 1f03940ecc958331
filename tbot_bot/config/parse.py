"""The configuration, parsed once: text by key in, frozen settings out, or every fault at once."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast, get_origin, get_type_hints

from tbot_bot.config.faults import HIDDEN, Fault, Faults, fault_of, short_name, shown
from tbot_bot.config.keys import KeySpec, Kind
from tbot_bot.config.rules import RULES, Rule, Values
from tbot_bot.config.schema import ALIASES, BY_NAME, KEYS, find, nearest
from tbot_bot.config.values import LONGEST, Refused, Value, to_text, to_value
from tbot_bot.domain.identity import AlertTargets, BotIdentity, ScreenerCredentials
from tbot_bot.domain.installation import BackupTarget, EnvSettings
from tbot_bot.domain.settings import BotSettings, BrokerCredentials, BrokerName, SecondaryCredentials

_OWN_URL = {
    BrokerName.PAPER: "http://127.0.0.1:8090",
    BrokerName.ALPACA: "https://paper-api.alpaca.markets",
    BrokerName.TRADIER: "https://sandbox.tradier.com",
}
_FEED_SYMBOLS = {BrokerName.PAPER: 1000, BrokerName.ALPACA: 30, BrokerName.TRADIER: 60, BrokerName.IBKR: 50}
_CAUTIOUS_FEED_SYMBOLS = 30


@dataclass(frozen=True, slots=True)
class ParsedConfig:
    """A whole, valid configuration. `raw` is every key's text in its one spelling, secrets included: to be stored."""

    env: EnvSettings
    bot: BotSettings
    broker: BrokerCredentials
    secondary: BrokerCredentials | None
    identity: BotIdentity
    alerts: AlertTargets
    screener: ScreenerCredentials
    target: BackupTarget
    raw: Mapping[str, str] = field(repr=False)


def parse(values: Mapping[str, object], version_tag: str) -> ParsedConfig | Faults:
    """Settings from text by key, defaults for the keys left out; or all faults. Never raises on bad input.

    `version_tag` is what VERSION.md holds; VERSION_TAG must equal it where given."""
    given, faults = _known(values)
    given.setdefault("VERSION_TAG", version_tag)
    parsed: dict[str, Value] = {}
    for spec in KEYS:
        value = _value(spec, given.get(spec.name, spec.default))
        if isinstance(value, Refused):
            faults.append(fault_of(spec, given.get(spec.name, ""), value.message))
        else:
            parsed[spec.name] = value
    faults += _rule_faults(parsed, version_tag)
    return tuple(faults) if faults else _build(parsed)


def _known(values: Mapping[str, object]) -> tuple[dict[str, object], list[Fault]]:
    """The values under the keys' own names, and a fault for each unknown key or contradicting alias."""
    given: dict[str, object] = {}
    faults: list[Fault] = []
    for name, value in values.items():
        spec = find(name) if isinstance(name, str) else None
        if spec is None:
            faults.append(unknown_key(name))
        elif spec.name in given and given[spec.name] != value:
            faults.append(fault_of(spec, value, f"is also given as {ALIASES.get(name, name)}, with another value"))
        else:
            given[spec.name] = value
    return given, faults


def unknown_key(name: object) -> Fault:
    """The fault of a key that no table knows. Its value is hidden: it may be a secret under a misspelt name."""
    near = nearest(name) if isinstance(name, str) else ""
    hint = f"; did you mean {near}?" if near else "; remove it"
    return Fault(short_name(name), f"is no key of the configuration{hint}", HIDDEN, nearest=near)


def _value(spec: KeySpec, raw: object) -> Value | Refused:
    if not isinstance(raw, str):
        return Refused("must be text")
    text = raw.strip(" ")
    if len(text) > LONGEST:
        return Refused(f"is longer than {LONGEST} characters")
    if not text.isprintable() or not (text.isascii() or spec.kind is Kind.SECRET):
        return Refused("holds a line break, a control character or a letter outside ASCII")
    return to_value(spec, text)


def _rule_faults(parsed: Mapping[str, Value], version_tag: str) -> list[Fault]:
    rules = (*RULES, _version_rule(version_tag))
    values = Values(parsed)
    return [
        _rule_fault(rule, values, message)
        for rule in rules
        if all(name in parsed for name in rule.fields) and (message := rule.check(values)) is not None
    ]


def _rule_fault(rule: Rule, values: Values, message: str) -> Fault:
    spec = BY_NAME[rule.fields[0]]
    text = to_text(spec, values.by_name[spec.name])
    return Fault(spec.name, message, shown(spec, text), spec.unit, spec.allowed, fields=rule.fields)


def _version_rule(version_tag: str) -> Rule:
    def check(values: Values) -> str | None:
        if values.text("VERSION_TAG") == version_tag:
            return None
        return f"this program is {version_tag}: open the configuration page, look it over and save it again"

    return Rule("VERSION_TAG equals VERSION.md.", ("VERSION_TAG",), check)


def _build(parsed: Mapping[str, Value]) -> ParsedConfig:
    bot = _section(BotSettings, "", parsed)
    name = bot.routing.broker_name
    broker = _section(BrokerCredentials, "broker", {**parsed, "BROKER_CODE": name})
    broker = _with_url(broker)
    second = _section(SecondaryCredentials, "secondary", parsed).credentials
    if not bot.filters.data_feed_symbol_limit:
        limit = _FEED_SYMBOLS.get(name, _CAUTIOUS_FEED_SYMBOLS)
        bot = replace(bot, filters=replace(bot.filters, data_feed_symbol_limit=limit))
    return ParsedConfig(
        env=_section(EnvSettings, "env", parsed),
        bot=bot,
        broker=broker,
        secondary=_with_url(second) if second is not None else None,
        identity=_section(BotIdentity, "identity", parsed),
        alerts=_section(AlertTargets, "alerts", parsed),
        screener=_section(ScreenerCredentials, "screener", parsed),
        target=_section(BackupTarget, "target", parsed),
        raw={spec.name: to_text(spec, parsed[spec.name]) for spec in KEYS},
    )


def _with_url(broker: BrokerCredentials) -> BrokerCredentials:
    """With the broker's own address for practice where none is given."""
    return broker if broker.broker_url else replace(broker, broker_url=_OWN_URL.get(broker.broker_code, ""))


_NAME_OF = {(spec.section, spec.field): spec.name for spec in KEYS}


_T = TypeVar("_T")


def _section(cls: type[_T], section: str, parsed: Mapping[str, Value]) -> _T:
    """The dataclass `cls`, each field from the key that the table gives it, or from a section of its own."""
    hints = _hints(cast("Hashable", cls))
    return cls(**{name: _field(hints[name], section, name, parsed) for name in _field_names(cls)})


def _field(kind: Any, section: str, name: str, parsed: Mapping[str, Value]) -> Any:
    if is_dataclass(kind):
        return _section(cast("type", kind), f"{section}.{name}".removeprefix("."), parsed)
    value = parsed[_NAME_OF[section, name]]
    return frozenset(cast("tuple[Enum, ...]", value)) if get_origin(kind) is frozenset else value


@cache
def _hints(cls: Hashable) -> dict[str, Any]:
    """Of one of our own dataclasses, which do not change: finding them out takes half of the time of a parse."""
    return get_type_hints(cls)


def _field_names(cls: type) -> tuple[str, ...]:
    return tuple(item.name for item in fields(cls))
