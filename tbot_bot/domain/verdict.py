"""An expected refusal is a value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowed:
    """The rule has nothing against it."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The rule says no. `rule` is its short name, `reason` the trader's words, `setting` the key that decides it."""

    rule: str
    reason: str
    setting: str = ""


Verdict = Allowed | Denied
ALLOWED = Allowed()
