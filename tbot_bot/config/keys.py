"""What the schema says about one key, and the short way to write it down (`Place`)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum, StrEnum
from functools import cache


class Group(StrEnum):
    """The five folded groups of the configuration page."""

    BROKER = "Broker"
    MONEY = "Money and risk"
    STRATEGIES = "Strategies"
    ALERTS = "Alerts"
    EXPERT = "Expert"


class Store(StrEnum):
    """Where a key's value is kept."""

    ENV = ".env"
    ENV_BOT = ".env_bot"
    BROKER = "broker_credentials"
    IDENTITY = "bot_identity"
    ALERTS = "alert_channels"
    SCREENER = "screener_api"
    NETWORK = "network_config"


class Kind(StrEnum):
    DECIMAL = "decimal"
    INT = "int"
    BOOL = "bool"
    ENUM = "enum"
    TIME = "time"
    DURATION = "duration"
    DECIMALS = "decimal list"
    ENUMS = "list"
    TEXT = "text"
    PATH = "path"
    URL = "url"
    SECRET = "secret"  # noqa: S105 a kind of key, not a password


class Unit(StrEnum):
    NONE = ""
    FRACTION = "fraction"
    PERCENT = "percent"
    USD = "USD"
    SHARES = "shares per day"
    SECONDS = "s"
    MILLISECONDS = "ms"
    MINUTES = "minutes"
    HOURS = "hours"
    UTC = "UTC"
    DAYS = "days"
    SESSIONS = "sessions"
    POINTS = "index points"
    SIGMA = "standard deviations"
    TIMES = "times"
    PER_MINUTE = "per minute"
    PER_YEAR = "fraction a year"
    SYMBOLS = "symbols"


class Risk(StrEnum):
    """Which values of a key raise what can be lost."""

    NONE = ""
    HIGHER = "higher"
    LOWER = "lower"
    HIGHER_OR_OFF = "higher or 0"
    """A higher value, or 0, which turns the guard off."""


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One key. `section` and `field` say which settings dataclass and field hold its value ("" = none: only checked).

    `low` and `high` are inclusive unless `low_open`; they count items' values for lists and ms for durations.
    `only` narrows `choices`; `refused` holds choices that are known but not possible now, each with the reason.
    `pattern` is a full match in both Python and HTML. `optional`: may be empty. `fixed`: only the default is accepted.
    `risk`: moving it that way needs the password anew.
    `required`: a stored file without it is incomplete (keys of ours and the toggles may be left out)."""

    name: str
    label: str
    help: str
    kind: Kind
    default: str
    group: Group
    subgroup: str
    store: Store
    section: str
    field: str
    unit: Unit = Unit.NONE
    low: Decimal | None = None
    low_open: bool = False
    high: Decimal | None = None
    choices: type[Enum] | None = None
    only: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    pattern: str = ""
    ours: bool = False
    advanced: bool = False
    optional: bool = False
    fixed: bool = False
    aliases: tuple[str, ...] = ()
    risk: Risk = Risk.NONE

    @property
    def secret(self) -> bool:
        return self.kind is Kind.SECRET

    @property
    def required(self) -> bool:
        return self.store in {Store.ENV, Store.ENV_BOT} and bool(self.section) and not self.ours

    @property
    def choice_names(self) -> tuple[str, ...]:
        """The words accepted, in the order of the enum; empty when the key is no choice."""
        return () if self.choices is None else _choice_names(self.choices, self.only)

    @property
    def allowed(self) -> str:
        """The range or choices in words, for faults and the reference page."""
        return _allowed(self)


@cache
def _choice_names(choices: type[Enum], only: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(choice_name(member) for member in choices)
    return tuple(name for name in names if name in (only or names))


def choice_name(member: Enum) -> str:
    """How an enum's member is written in a file: its value, or its name where the value is a number."""
    return member.value if isinstance(member.value, str) else member.name.lower()


def _allowed(spec: KeySpec) -> str:
    if spec.fixed:
        return f"only {spec.default}"
    if spec.choices is not None:
        text = ", ".join(spec.choice_names)
        return text + (", or empty" if spec.optional else "")
    match spec.kind:
        case Kind.BOOL:
            return "true, false" + (", or empty" if spec.optional else "")
        case Kind.TIME:
            return "HH:MM, 00:00 to 23:59"
        case Kind.DURATION:
            return f"{_plain(spec.low)} ms to {_plain(spec.high)} ms, written as 1s, 500ms or 1m"
        case Kind.URL:
            return "https://…, or http:// on this machine, or empty"
        case Kind.DECIMAL | Kind.INT | Kind.DECIMALS:
            return _range(spec)
        case _:
            return ("empty, or " if spec.optional else "") + (spec.pattern or "printable text")


def _range(spec: KeySpec) -> str:
    low = "" if spec.low is None else f"{'more than' if spec.low_open else 'from'} {_plain(spec.low)}"
    text = f"{low} to {_plain(spec.high)}"
    return f"numbers, comma between, each {text}" if spec.kind is Kind.DECIMALS else text


def _plain(number: Decimal | None) -> str:
    return "" if number is None else f"{number:f}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run of keys belongs; its methods write one row of the table each.

    `low` and `high` are written as text, `>0` meaning "more than 0". `field` is the settings field where it isn't
    simply the key in lower case."""

    store: Store
    group: Group
    subgroup: str
    section: str
    advanced: bool = False
    ours: bool = False

    def row(self, kind: Kind, name: str, default: str, label: str, text: str, field: str = "") -> KeySpec:
        return KeySpec(
            name=name,
            label=label,
            help=text,
            kind=kind,
            default=default,
            group=self.group,
            subgroup=self.subgroup,
            store=self.store,
            section=self.section,
            field=field or name.lower(),
            advanced=self.advanced,
            ours=self.ours,
        )

    def decimal(
        self, name: str, default: str, label: str, text: str, unit: Unit, low: str, high: str, field: str = ""
    ) -> KeySpec:
        return _ranged(self.row(Kind.DECIMAL, name, default, label, text, field), unit, low, high)

    def decimals(self, name: str, default: str, label: str, text: str, unit: Unit, low: str, high: str) -> KeySpec:
        return _ranged(self.row(Kind.DECIMALS, name, default, label, text), unit, low, high)

    def integer(
        self, name: str, default: str, label: str, text: str, unit: Unit, low: str, high: str, field: str = ""
    ) -> KeySpec:
        return _ranged(self.row(Kind.INT, name, default, label, text, field), unit, low, high)

    def duration(
        self, name: str, default: str, label: str, text: str, low_ms: str, high_ms: str, field: str
    ) -> KeySpec:
        row = self.row(Kind.DURATION, name, default, label, text, field)
        return replace(_ranged(row, Unit.NONE, low_ms, high_ms), pattern="[0-9]{1,6}(ms|s|m)")

    def boolean(self, name: str, default: str, label: str, text: str, field: str = "") -> KeySpec:
        return self.row(Kind.BOOL, name, default, label, text, field)

    def choice(self, name: str, default: str, label: str, text: str, choices: type[Enum], field: str = "") -> KeySpec:
        return replace(self.row(Kind.ENUM, name, default, label, text, field), choices=choices)

    def choices(self, name: str, default: str, label: str, text: str, choices: type[Enum]) -> KeySpec:
        return replace(self.row(Kind.ENUMS, name, default, label, text), choices=choices)

    def time(self, name: str, default: str, label: str, text: str, field: str) -> KeySpec:
        row = self.row(Kind.TIME, name, default, label, text, field)
        return replace(row, unit=Unit.UTC, pattern="([01][0-9]|2[0-3]):[0-5][0-9]")

    def text(self, name: str, default: str, label: str, text: str, pattern: str) -> KeySpec:
        return replace(self.row(Kind.TEXT, name, default, label, text), pattern=pattern)

    def optional_text(self, name: str, label: str, text: str, pattern: str) -> KeySpec:
        return replace(self.text(name, "", label, text, pattern), optional=True)

    def url(self, name: str, label: str, text: str) -> KeySpec:
        return replace(self.row(Kind.URL, name, "", label, text), optional=True)

    def secret(self, name: str, label: str, text: str, pattern: str = "") -> KeySpec:
        return replace(self.row(Kind.SECRET, name, "", label, text), optional=True, pattern=pattern)

    def paths(self, label: str, text: str, defaults: Sequence[tuple[str, str]]) -> tuple[KeySpec, ...]:
        """Keys of the fixed layout; `label` and `text` take the key's subject in place of `{}`."""
        return tuple(
            replace(self.row(Kind.PATH, name, default, label.format(subject), text.format(subject)), fixed=True)
            for name, default in defaults
            for subject in [name.removesuffix("_PATH").replace("_", " ").lower()]
        )


def _ranged(row: KeySpec, unit: Unit, low: str, high: str) -> KeySpec:
    return replace(row, unit=unit, low=Decimal(low.removeprefix(">")), low_open=low.startswith(">"), high=Decimal(high))
