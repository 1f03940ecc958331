"""How the state folder's layout came to be as it is: one step for each change, in order, each with its way back.

A step may be interrupted anywhere and done again; doing it to a folder that has it already changes nothing. Facts that
the newer release wrote meanwhile go back along with the files, so that undoing an upgrade forgets no order."""

from collections.abc import Callable
from dataclasses import dataclass

from tbot_bot.support.path_resolver import Paths
from tools.migration import ledger_place


@dataclass(frozen=True, slots=True)
class Step:
    """`do` leads from the layout before to this one, `undo` back."""

    name: str
    do: Callable[[Paths], None]
    undo: Callable[[Paths], None]


STEPS: tuple[Step, ...] = (Step("the ledger has a folder of its own", ledger_place.do, ledger_place.undo),)
"""Step i leads to layout i + 1; `layout_version.LAYOUT` is their number."""
