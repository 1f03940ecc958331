"""Writing `.env` and `.env_bot`: every key with its meaning, in the order of the table."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from tbot_bot.config.keys import KeySpec, Store
from tbot_bot.config.schema import keys_of

_RULE = "# " + "-" * 41


def render_env_bot(values: Mapping[str, str]) -> str:
    """The text of `.env_bot` with `values` (a parsed configuration's `raw`), defaults for the keys left out.

    Holds no secret: those are kept per category."""
    return _render(Store.ENV_BOT, "tbot: trading settings. Times are UTC; see docs/configuration.md.", values)


def render_env(values: Mapping[str, str]) -> str:
    """The text of `.env` likewise."""
    return _render(Store.ENV, "tbot: installation settings. Paths are fixed by the layout.", values)


def stored_values(values: Mapping[str, str], store: Store) -> dict[str, str]:
    """The part of `values` that belongs into `store`: `.env_bot`, or a category of secrets."""
    return {spec.name: values.get(spec.name, spec.default) for spec in keys_of(store)}


def _render(store: Store, title: str, values: Mapping[str, str]) -> str:
    lines = [f"# {title}"]
    kept = stored_values(values, store)
    for (group, subgroup), specs in groupby(keys_of(store), key=lambda spec: (spec.group, spec.subgroup)):
        lines += ["", _RULE, f"# {group}: {subgroup}", _RULE]
        for spec in specs:
            lines += [*_comment(spec), f"{spec.name}={kept[spec.name]}"]
    return "\n".join(lines) + "\n"


def _comment(spec: KeySpec) -> Iterator[str]:
    unit = f" [{spec.unit}]" if spec.unit else ""
    yield f"# {spec.help}{unit}"
    yield f"#   allowed: {spec.allowed}"
