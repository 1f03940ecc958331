"""The docs as the tests read them: pages, fenced blocks with how each is tried, links and code words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from tests.conftest import REPOSITORY

TRIED = {
    "bash run": "in a scratch copy with a runner (tests/docs/test_commands.py)",
    "bash systemd": "as root on a private systemd (tests/system/test_systemd_docs.py)",
    "bash ci": "by CI itself or the system tests; here make only has to understand it",
    "bash outside": "needs the internet, another machine or a broker: only its syntax is checked",
}
"""Every fence that holds commands says how they are tried; `text` and the names of file formats hold none."""
NOT_COMMANDS = frozenset({"text", "ini", "ledger"})

_FENCE = re.compile(r"^ *```(.*)$")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `info` is what stands behind the opening fence."""

    page: Path
    line: int
    info: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"


@dataclass(frozen=True, slots=True)
class Page:
    path: Path
    text: str
    prose: str
    blocks: tuple[Block, ...]

    @property
    def name(self) -> str:
        return str(self.path.relative_to(REPOSITORY))

    @property
    def links(self) -> tuple[str, ...]:
        """Targets inside the repository; addresses elsewhere are not looked at."""
        found = _LINK.findall(_CODE.sub("", self.prose))
        return tuple(link for link in found if not re.match(r"[a-z]+:", link))

    @property
    def code(self) -> tuple[str, ...]:
        """Words in backticks, outside fences."""
        return tuple(_CODE.findall(self.prose))

    @property
    def anchors(self) -> frozenset[str]:
        """What a link may name behind `#`, as the forges make it of a heading."""
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


def pages() -> tuple[Page, ...]:
    """README and every page below docs/; decisions (adr/) record what was, so they are not held to what is."""
    paths = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
    return tuple(read(path) for path in paths if "adr" not in path.parts)


def read(path: Path) -> Page:
    text = path.read_text("utf-8")
    blocks, prose = [], []
    for part in _parts(path, text):
        if isinstance(part, Block):
            blocks.append(part)
        else:
            prose.append(part)
    return Page(path, text, "\n".join(prose), tuple(blocks))


def _parts(path: Path, text: str) -> Iterator[Block | str]:
    """Lines of prose, and blocks in between. Raises ValueError for a fence that is not closed."""
    info, begun, inside = "", 0, []
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(line)
        if fence and not begun:
            info, begun, inside = fence[1].strip(), number, []
        elif fence:
            yield Block(path, begun, info, dedent("\n".join(inside)))
            begun = 0
        elif begun:
            inside.append(line)
        else:
            yield line
    if begun:
        raise ValueError(f"{path.name}:{begun}: the fence is not closed")
