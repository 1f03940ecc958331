"""What is wrong with a value, said so that a person can put it right."""

from dataclasses import dataclass

from tbot_bot.config.keys import KeySpec, Kind

HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `key` is the field it shows at, `fields` all keys involved; `value` never holds a secret.

    `allowed` is the range or the choices in words, `nearest` the known key most like an unknown one ("" = none)."""

    key: str
    message: str
    value: str = ""
    unit: str = ""
    allowed: str = ""
    nearest: str = ""
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = f" (is {self.value})" if self.value else ""
        return f"{self.key}: {self.message}{shown}"


Faults = tuple[Fault, ...]


def shown(spec: KeySpec, value: object) -> str:
    """The value as a fault may show it: hidden for secrets, else plain ASCII of at most 60 characters."""
    if spec.secret or (spec.kind is Kind.URL and not _bare_url(value)):
        return HIDDEN if value else ""
    return ascii(value)[:60]


def _bare_url(value: object) -> bool:
    """Whether a URL can hold no password or token: no user name, no query."""
    return isinstance(value, str) and not set("@?#") & set(value)


def fault_of(spec: KeySpec, value: object, message: str) -> Fault:
    """A fault of one key's value."""
    return Fault(spec.name, message, shown(spec, value), spec.unit, spec.allowed, fields=(spec.name,))


def short_name(name: object) -> str:
    """A key's name from outside, safe to show."""
    return (
        name
        if isinstance(name, str) and name.isascii() and name.isidentifier() and len(name) <= 80
        else ascii(name)[:80]
    )
