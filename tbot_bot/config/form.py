"""The configuration form as published for the web, which knows no key by itself."""

from itertools import groupby

from tbot_bot.config.keys import Group, KeySpec, Kind
from tbot_bot.config.schema import KEYS

Json = str | int | bool | None | list["Json"] | dict[str, "Json"]

FORM_VERSION = 1
_ABOUT = {
    Group.BROKER: "Who executes the trades, and the keys for it.",
    Group.MONEY: "How much may be used, and when to stop.",
    Group.STRATEGIES: "What is traded, and when.",
    Group.ALERTS: "What you are told, and where.",
    Group.EXPERT: "Rarely needed; the defaults are safe.",
}
_NUMBER_LIST = "[0-9., ]+"


def form_model() -> dict[str, Json]:
    """{"version", "groups": [{"name", "help", "subgroups": [{"name", "advanced", "fields": [field]}]}]}, JSON-able.

    A field: name, label, help, kind (number, checkbox, select, multiselect, time, text, url, password), unit, default,
    choices [{"value", "refused": reason or ""}], min, max (text or null), min_exclusive, step, pattern ("" = none),
    secret, advanced, required, fixed, allowed (in words), risk (which way asks for the password, in words; "" = none).
    Every value travels as text: checkboxes as true or false, multiselects comma separated. `fixed`: shown, not to be
    changed; only the default is valid."""
    groups: list[Json] = [
        {"name": str(group), "help": _ABOUT[group], "subgroups": _subgroups(group)} for group in Group
    ]
    return {"version": FORM_VERSION, "groups": groups}


def _subgroups(group: Group) -> list[Json]:
    shown = [spec for spec in KEYS if spec.group is group]
    order = list(dict.fromkeys(spec.subgroup for spec in shown))
    shown.sort(key=lambda spec: order.index(spec.subgroup))
    return [_subgroup(name, list(specs)) for name, specs in groupby(shown, key=lambda spec: spec.subgroup)]


def _subgroup(name: str, specs: list[KeySpec]) -> Json:
    advanced = all(spec.advanced for spec in specs)
    return {"name": name, "advanced": advanced, "fields": [_field(spec) for spec in specs]}


def _field(spec: KeySpec) -> Json:
    refused = dict(spec.refused)
    choices: list[Json] = [{"value": name, "refused": refused.get(name, "")} for name in _choices(spec)]
    number = spec.kind in {Kind.INT, Kind.DECIMAL}
    return {
        "name": spec.name,
        "label": spec.label,
        "help": spec.help,
        "kind": _input_kind(spec),
        "unit": str(spec.unit),
        "default": spec.default,
        "choices": choices,
        "min": f"{spec.low:f}" if number and spec.low is not None else None,
        "max": f"{spec.high:f}" if number and spec.high is not None else None,
        "min_exclusive": spec.low_open,
        "step": {Kind.INT: "1", Kind.DECIMAL: "any"}.get(spec.kind),
        "pattern": _NUMBER_LIST if spec.kind is Kind.DECIMALS else spec.pattern,
        "secret": spec.secret,
        "advanced": spec.advanced,
        "required": not spec.optional,
        "fixed": spec.fixed or spec.name == "VERSION_TAG",
        "allowed": spec.allowed,
        "risk": str(spec.risk),
    }


def _choices(spec: KeySpec) -> tuple[str, ...]:
    if spec.kind is Kind.BOOL and spec.optional:
        return ("", "true", "false")
    return ("", *spec.choice_names) if spec.optional and spec.choices else spec.choice_names


def _input_kind(spec: KeySpec) -> str:
    match spec.kind:
        case Kind.INT | Kind.DECIMAL:
            return "number"
        case Kind.BOOL:
            return "select" if spec.optional else "checkbox"
        case Kind.ENUM:
            return "select"
        case Kind.ENUMS:
            return "multiselect"
        case Kind.TIME | Kind.URL:
            return str(spec.kind)
        case Kind.SECRET:
            return "password"
        case _:
            return "text"
