"""Reading `.env` and `.env_bot` text: KEY=value lines, as the seeds write them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tbot_bot.config.faults import HIDDEN, Fault, fault_of, short_name
from tbot_bot.config.parse import unknown_key
from tbot_bot.config.schema import find

LONGEST_FILE = 262_144
_QUOTES = ('"', "'")


@dataclass(frozen=True, slots=True)
class EnvText:
    """What a file says: values under the keys' own names, and what is wrong with it."""

    values: Mapping[str, str] = field(repr=False)
    faults: tuple[Fault, ...]


def parse_env_text(text: str) -> EnvText:
    """Values of the KEY=value lines in `text`. Never raises.

    Blank lines and lines starting with # are skipped; spaces around the value and a comment after a space and # are
    dropped; one pair of quotes around the value is removed. A key may come twice only with the same value. Unknown
    keys are faults."""
    if len(text) > LONGEST_FILE:
        return EnvText({}, (Fault("(file)", f"is longer than {LONGEST_FILE} characters"),))
    values: dict[str, str] = {}
    faults: list[Fault] = []
    for number, line in enumerate(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), start=1):
        fault = _read_line(line.strip(" \t"), number, values)
        if fault is not None:
            faults.append(fault)
    return EnvText(values, tuple(faults))


def _read_line(line: str, number: int, values: dict[str, str]) -> Fault | None:
    if not line or line.startswith("#"):
        return None
    name, equals, rest = line.partition("=")
    name = name.rstrip(" \t")
    if not equals or not name:
        return Fault(f"(line {number})", "is no KEY=value line; start comments with #", HIDDEN)
    spec = find(name)
    if spec is None:
        return unknown_key(name)
    value = _unquoted(rest.strip(" \t"))
    if value is None:
        return Fault(short_name(name), f"has a quote that does not end on line {number}", HIDDEN)
    if values.setdefault(spec.name, value) != value:
        return fault_of(spec, value, f"comes again on line {number} with another value: keep one of them")
    return None


def _unquoted(text: str) -> str | None:
    """The value without quotes and trailing comment; None when a quote is left open or followed by more."""
    if text.startswith(_QUOTES):
        value, end, rest = text[1:].partition(text[0])
        rest = rest.strip(" \t")
        return value if end and (not rest or rest.startswith("#")) else None
    if text.startswith("#"):
        return ""
    for space in (" #", "\t#"):
        text = text.partition(space)[0]
    return text.rstrip(" \t")
