"""Writes `docs/configuration.md` from the table of keys: `python -m tools.render_docs`; `--check` only compares."""

import argparse
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from tbot_bot.config.keys import Group, KeySpec
from tbot_bot.config.rules import RULES
from tbot_bot.config.schema import KEYS

TARGET = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"

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


def render() -> str:
    """The whole page."""
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
    cells = (name, spec.default or "(empty)", spec.unit, spec.allowed, spec.help + aliases + refused, spec.store)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _rules() -> Iterator[str]:
    for rule in RULES:
        yield f"- {rule.about}"
    yield "- VERSION_TAG equals the version in `VERSION.md`."


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="render_docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when the page is stale, change nothing")
    options = parser.parse_args(arguments)
    page = render()
    if not options.check:
        TARGET.write_text(page, encoding="utf-8")
        return 0
    if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == page:
        return 0
    print("docs/configuration.md is stale: run python -m tools.render_docs", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
