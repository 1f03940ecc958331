"""Text to value and back, for each kind of key. Bad text gives a `Refused`, never an exception."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from enum import Enum
from urllib.parse import urlsplit

from tbot_bot.config.keys import KeySpec, Kind, choice_name
from tbot_bot.support.loopback import is_loopback

Value = Decimal | int | bool | str | time | Enum | tuple[Decimal, ...] | tuple[Enum, ...] | None

LONGEST = 600
_DECIMAL = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,12})?")
_INT = re.compile(r"[+-]?[0-9]{1,15}")
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000}


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a text is no value of its key, without the text itself."""

    message: str


def to_value(spec: KeySpec, text: str) -> Value | Refused:
    """The value that `text` (stripped, printable) means for `spec`; None for an empty optional key."""
    if spec.fixed:
        if text == spec.default:
            return text
        return Refused(f"only {spec.default} is possible: the folder layout is fixed, other programs rely on it")
    if not text:
        return _empty(spec)
    return _READERS[spec.kind](spec, text)


def to_text(spec: KeySpec, value: Value) -> str:
    """The one way in which `value` is written in a file; `to_value` reads it back."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Enum():
            return choice_name(value)
        case time():
            return f"{value:%H:%M}"
        case Decimal():
            return f"{value:f}"
        case tuple():
            return ",".join(to_text(spec, item) for item in value)
        case int() if spec.kind is Kind.DURATION:
            return f"{value // 1000}s" if value % 1000 == 0 else f"{value}ms"
        case _:
            return str(value)


def _empty(spec: KeySpec) -> Value | Refused:
    if not spec.optional:
        return Refused("a value is needed")
    return None if spec.kind in {Kind.BOOL, Kind.ENUM} else ""


def _number(spec: KeySpec, text: str) -> Decimal | Refused:
    whole = spec.kind is Kind.INT
    if not (_INT if whole else _DECIMAL).fullmatch(text):
        wanted = "a whole number, digits only" if whole else "a plain number such as 0.05"
        return Refused(f"needs {wanted}")
    value = Decimal(text) + 0  # turns -0 into 0; 27 digits at most, so nothing is rounded
    return _in_range(spec, value) or value


def _in_range(spec: KeySpec, value: Decimal) -> Refused | None:
    too_low = spec.low is not None and (value <= spec.low if spec.low_open else value < spec.low)
    too_high = spec.high is not None and value > spec.high
    return Refused(f"must be {spec.allowed}") if too_low or too_high else None


def _int(spec: KeySpec, text: str) -> Value | Refused:
    number = _number(spec, text)
    return int(number) if isinstance(number, Decimal) else number


def _bool(_: KeySpec, text: str) -> Value | Refused:
    match text.lower():
        case "true":
            return True
        case "false":
            return False
        case _:
            return Refused("must be true or false")


def _enum(spec: KeySpec, text: str) -> Enum | Refused:
    wanted = text.casefold()
    for name, reason in spec.refused:
        if name.casefold() == wanted:
            return Refused(reason)
    for member in spec.choices or ():
        name = choice_name(member)
        if name in spec.choice_names and name.casefold() == wanted:
            return member
    return Refused(f"must be one of {', '.join(spec.choice_names)}")


def _enums(spec: KeySpec, text: str) -> Value | Refused:
    members: list[Enum] = []
    for part in text.split(","):
        member = _enum(spec, part.strip())
        if isinstance(member, Refused):
            return member
        if member in members:
            return Refused(f"names {choice_name(member)} twice")
        members.append(member)
    return tuple(members)


def _decimals(spec: KeySpec, text: str) -> Value | Refused:
    numbers: list[Decimal] = []
    for part in text.split(","):
        number = _number(spec, part.strip())
        if isinstance(number, Refused):
            return Refused(f"entry {len(numbers) + 1}: {number.message}")
        numbers.append(number)
    return tuple(numbers)


def _time(spec: KeySpec, text: str) -> Value | Refused:
    if not re.fullmatch(spec.pattern, text):
        return Refused("must be a time of day such as 14:30")
    return time(int(text[:2]), int(text[3:]))


def _duration(spec: KeySpec, text: str) -> Value | Refused:
    found = re.fullmatch("([0-9]{1,6})(ms|s|m)", text)
    if not found:
        return Refused("must be a duration such as 1s, 500ms or 1m")
    value = int(found[1]) * _MILLISECONDS[found[2]]
    return _in_range(spec, Decimal(value)) or value


def _text(spec: KeySpec, text: str) -> Value | Refused:
    if spec.pattern and not re.fullmatch(spec.pattern, text):
        return Refused(f"has characters or a length that are not possible here; the pattern is {spec.pattern}")
    return text


_BASE_PATHS = ("", "/v1", "/v2")


def _url(_: KeySpec, text: str) -> Value | Refused:
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        return Refused("is no web address")
    if not re.fullmatch(r"[!-~]+", text) or not host or not port_is_valid:
        return Refused("is no web address such as https://paper-api.alpaca.markets")
    if parts.username is not None or parts.query or parts.fragment:
        return Refused("must hold no user name, query or fragment: keys belong into their own fields")
    if parts.path.rstrip("/") not in _BASE_PATHS:
        return Refused("must be the base address, without a path behind it")
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)):
        return text.rstrip("/")
    return Refused("must start with https:// so that keys travel encrypted; http:// works on this machine only")


_READERS: Mapping[Kind, Callable[[KeySpec, str], Value | Refused]] = {
    Kind.DECIMAL: _number,
    Kind.INT: _int,
    Kind.BOOL: _bool,
    Kind.ENUM: _enum,
    Kind.ENUMS: _enums,
    Kind.DECIMALS: _decimals,
    Kind.TIME: _time,
    Kind.DURATION: _duration,
    Kind.TEXT: _text,
    Kind.SECRET: _text,
    Kind.PATH: _text,
    Kind.URL: _url,
}
