"""The configuration form as the runner publishes it, joined with what was typed and what was found wrong.

No key is known here: groups, fields, units, ranges and help all come from the published model."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tbot_bot.interface.published import Published
from tbot_web.support.utils_web import plain


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong, in the runner's words. `nearest`: the known name that an unknown key resembles."""

    key: str
    message: str
    allowed: str = ""
    nearest: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """`refused`: why it cannot be chosen now; empty when it can."""

    value: str
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One input as shown. `value` is empty for secrets: they are never written into a page.

    `stored`: a secret that the runner holds already; left empty, it stays. `fixed`: read-only, its default is sent."""

    name: str
    label: str
    kind: str
    unit: str
    help: str
    default: str
    value: str
    choices: tuple[Choice, ...]
    low: str
    high: str
    low_open: bool
    allowed: str
    pattern: str
    secret: bool
    stored: bool
    advanced: bool
    optional: bool
    fixed: bool
    faults: tuple[Fault, ...] = ()

    @property
    def options(self) -> tuple[Choice, ...]:
        """What a drop-down offers. A value outside the choices becomes one of its own: nothing typed is lost."""
        known = self.value in {c.value for c in self.choices}
        return self.choices if known else (*self.choices, Choice(self.value))


@dataclass(frozen=True, slots=True)
class Section:
    """A run of fields under one heading within a group."""

    name: str
    fields: tuple[Field, ...]

    @property
    def basic(self) -> tuple[Field, ...]:
        return tuple(f for f in self.fields if not f.advanced)

    @property
    def advanced(self) -> tuple[Field, ...]:
        return tuple(f for f in self.fields if f.advanced)


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    help: str
    sections: tuple[Section, ...]

    @property
    def slug(self) -> str:
        return "group-" + "".join(c if c.isalnum() else "-" for c in self.name.lower())

    @property
    def fields(self) -> Iterator[Field]:
        return (f for s in self.sections for f in s.fields)

    @property
    def size(self) -> int:
        return sum(len(s.fields) for s in self.sections)

    @property
    def fault_count(self) -> int:
        return sum(len(f.faults) for f in self.fields)


@dataclass(frozen=True, slots=True)
class Form:
    """The whole page. `retype`: secrets typed, which are not sent back.

    `problem`: what is wrong with the stored configuration, in the runner's words."""

    groups: tuple[Group, ...]
    faults: tuple[Fault, ...] = ()
    retype: tuple[str, ...] = ()
    problem: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def load_form(
    published: Published, values: Mapping[str, str] | None = None, faults: Iterable[Mapping[str, str]] = ()
) -> Form | None:
    """The published form filled with `values` (what was typed), else the current values, else the defaults.

    None when the runner has not published it yet."""
    snapshot = published.read("form")
    if snapshot is None:
        return None
    wrong = tuple(_fault(f) for f in faults)
    stored = frozenset(plain(name) for name in snapshot.body.get("secrets_set", ()))
    filled = values if values is not None else snapshot.body.get("values", {})
    groups = tuple(_group(g, filled, wrong, stored) for g in snapshot.body.get("groups", ()))
    shown = {f.name: f for g in groups for f in g.fields}
    return Form(
        groups=groups,
        faults=wrong,
        retype=tuple(f.label for f in shown.values() if f.secret and values and values.get(f.name)),
        problem=plain(snapshot.body.get("problem")),
        labels={f.name: f.label for f in shown.values()},
    )


def _fault(raw: Mapping[str, str]) -> Fault:
    return Fault(plain(raw.get("key")), plain(raw.get("message")), plain(raw.get("allowed")), plain(raw.get("nearest")))


def _group(
    raw: Mapping[str, Any], values: Mapping[str, str], faults: tuple[Fault, ...], stored: frozenset[str]
) -> Group:
    sections = tuple(
        Section(plain(s.get("name")), tuple(_field(f, values, faults, stored) for f in s.get("fields", ())))
        for s in raw.get("subgroups", ())
    )
    return Group(plain(raw.get("name")), plain(raw.get("help")), sections)


def _field(
    raw: Mapping[str, Any], values: Mapping[str, str], faults: tuple[Fault, ...], stored: frozenset[str]
) -> Field:
    name, secret = plain(raw.get("name")), bool(raw.get("secret"))
    default = plain(raw.get("default"))
    return Field(
        name=name,
        label=plain(raw.get("label")) or name,
        kind=plain(raw.get("kind")),
        unit=plain(raw.get("unit")),
        help=plain(raw.get("help")),
        default="" if secret else default,
        value="" if secret else default if raw.get("fixed") else plain(values.get(name, default)),
        choices=tuple(Choice(plain(c.get("value")), plain(c.get("refused"))) for c in raw.get("choices") or ()),
        low=plain(raw.get("min")),
        high=plain(raw.get("max")),
        low_open=bool(raw.get("min_exclusive")),
        allowed=plain(raw.get("allowed")),
        pattern=plain(raw.get("pattern")),
        secret=secret,
        stored=name in stored,
        advanced=bool(raw.get("advanced")),
        optional=not raw.get("required"),
        fixed=bool(raw.get("fixed")),
        faults=tuple(f for f in faults if f.key == name),
    )
