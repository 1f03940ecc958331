"""Writes what in `docs/` is made from the code: `python -m tools.render_docs`; `--check` only compares.

`configuration.md` from the table of keys, `architecture.svg` from the units, users, folders and the import contract."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

from tbot_bot.config.keys import Group, KeySpec
from tbot_bot.config.rules import RULES
from tbot_bot.config.schema import KEYS
from tbot_bot.support.path_resolver import CODE_ROOT
from tools.picture.drawing import draw, read_facts

DOCS = CODE_ROOT / "docs"

_INTRO = """\
# Configuration

Every key, its default and what it does. This page is generated from the schema by `python -m tools.render_docs`;
change the table in `tbot_bot/config/schema_*.py`, not this page.

The configuration is entered on the web page and checked as a whole: all faults are reported at once and nothing is
saved until there are none. `.env` and `.env_bot` hold `KEY=value` lines; a line starting with `#` is a comment, and so
is the rest of a line after a space and `#`; one pair of quotes around a value is removed. Unknown keys are refused with
the nearest known name, and a key may come twice only with the same value. A stored `.env_bot` must hold every key of
its table except those marked * and the broker toggles.

Keys marked * are additions to the original specification. Fractions are of 1 (0.02 = 2 %); percents are of 100 and
say so. Times are UTC.

New installations trade on PAPER, the built-in practice exchange. IBKR and TRADIER are refused in this release.

Two keys end a login: SESSION_TIMEOUT after so many seconds without a click, SESSION_TIMEOUT_MINUTES after so many
minutes however busy it is.
"""


def configuration() -> str:
    """The reference page of all keys."""
    lines = [_INTRO]
    for group in Group:
        lines += [f"## {group}", ""]
        specs = [spec for spec in KEYS if spec.group is group]
        order = list(dict.fromkeys(spec.subgroup for spec in specs))
        specs.sort(key=lambda spec: order.index(spec.subgroup))
        for subgroup, members in groupby(specs, key=lambda spec: spec.subgroup):
            lines += [f"### {subgroup}", "", "| key | default | unit | allowed | meaning | kept in |"]
            lines += ["|---|---|---|---|---|---|", *(_row(spec) for spec in members), ""]
    return "\n".join([*lines, "## Rules between keys", "", *_rules()]) + "\n"


def _row(spec: KeySpec) -> str:
    name = f"`{spec.name}`" + ("*" if spec.ours else "")
    aliases = "".join(f" Also accepted as `{alias}`." for alias in spec.aliases)
    refused = "".join(f" {reason}." for _, reason in spec.refused)
    allowed = spec.allowed.replace(spec.pattern, f"`{spec.pattern}`") if spec.pattern else spec.allowed
    cells = (name, spec.default or "(empty)", spec.unit, allowed, spec.help + aliases + refused, spec.store)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _rules() -> Iterator[str]:
    for rule in RULES:
        yield f"- {rule.about}"
    yield "- VERSION_TAG equals the version in `VERSION.md`."


def architecture() -> str:
    """The picture."""
    return draw(read_facts(CODE_ROOT))


MADE: Mapping[str, Callable[[], str]] = {"configuration.md": configuration, "architecture.svg": architecture}


def stale(folder: Path) -> list[str]:
    """Names of the files in `folder` that are not what the code says now."""
    return [name for name, make in MADE.items() if _text(folder / name) != make()]


def _text(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None


def main(arguments: list[str], folder: Path = DOCS) -> int:
    parser = argparse.ArgumentParser(prog="render_docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when something is stale, change nothing")
    options = parser.parse_args(arguments)
    names = stale(folder)
    for name in names:
        if options.check:
            print(f"docs/{name} is stale: run python -m tools.render_docs", file=sys.stderr)
        else:
            (folder / name).write_text(MADE[name](), encoding="utf-8")
    return 1 if options.check and names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
