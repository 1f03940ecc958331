"""Lays the picture out: users and their units as columns, the state's folders as rows, the import layers below."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from tools.picture import svg
from tools.picture.access import Access, access
from tools.picture.units import Folder, Unit, Users, read_folders, read_units, read_users

WIDTH, LABELS, MARGIN = 1220.0, 270.0, 20.0
UNIT_LINE, ROW = 17.0, 26.0
OUTSIDE_TOP, COLUMNS_TOP = 62.0, 128.0

MEANING = {
    "": "entered by tbot's users only",
    "control": "state word, its log, start flag, public key",
    "control/requests": "sealed requests; Stop and Kill flags",
    "control/replies": "sealed answers",
    "control/sessions": "who is logged in",
    "control/published": "what the pages show",
    "control/jobs": "work that was asked for",
    "tbot_bot/storage/gen": "keys and secrets, by generation",
    "tbot_bot/storage/audit": "the audit log",
    "tbot_bot/storage/audit/inbox": "events for the audit log",
    "tbot_bot/storage/runner": "the runner's private key, checkpoints",
    "tbot_bot/storage/backups": "encrypted backups",
    "tbot_bot/core/databases": "the users",
    "tbot_bot/core/databases/ledger": "the books",
    "output": "journals, sessions, alerts, universe",
    "output/paper": "the paper exchange's account",
    "backtest_results": "backtests",
}
"""Folders that the picture shows, and what is in them. Who may use them is read from tmpfiles.d and the units."""


@dataclass(frozen=True, slots=True)
class Facts:
    units: tuple[Unit, ...]
    users: Users
    folders: tuple[Folder, ...]
    layers: tuple[tuple[str, ...], ...]

    def of(self, user: str) -> list[Unit]:
        return [unit for unit in self.units if unit.user == user]


def read_facts(code: Path) -> Facts:
    systemd = code / "systemd"
    return Facts(read_units(systemd), read_users(systemd), read_folders(systemd), read_layers(code / "pyproject.toml"))


def read_layers(pyproject: Path) -> tuple[tuple[str, ...], ...]:
    """The layers of the import contract, the top one first; what lies beside one another in one tuple."""
    contracts = tomllib.loads(pyproject.read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return tuple(tuple(name.strip() for name in layer.split("|")) for layer in layers)


def draw(facts: Facts) -> str:
    shapes = [svg.text(MARGIN, 34, "tbot: who runs what, who may touch which files, what may import what", "title")]
    bottom = _columns(facts, shapes)
    bottom = _folders(facts, shapes, bottom + 20)
    bottom = _layers(facts, shapes, bottom + 36)
    height = bottom + MARGIN
    return svg.document(WIDTH, height, "Architecture of tbot", [svg.rect(0, 0, WIDTH, height, "paper", 10), *shapes])


def _span(facts: Facts, user: str) -> tuple[float, float]:
    """Left edge and width of a user's column."""
    users = list(facts.users.groups)
    width = (WIDTH - LABELS - 2 * MARGIN) / len(users)
    return MARGIN + LABELS + users.index(user) * width + 5, width - 10


def _columns(facts: Facts, shapes: list[str]) -> float:
    lines = {user: sum(len(_words(unit)) for unit in facts.of(user)) for user in facts.users.groups}
    height = 40 + max(lines[user] * UNIT_LINE + len(facts.of(user)) * 12 for user in lines)
    _key(shapes, COLUMNS_TOP)
    for user in facts.users.groups:
        left, width = _span(facts, user)
        shapes.append(svg.rect(left, COLUMNS_TOP, width, height, "box"))
        shapes.append(svg.text(left + 12, COLUMNS_TOP + 24, user, "head"))
        y = COLUMNS_TOP + 48
        for unit in facts.of(user):
            for number, words in enumerate(_words(unit)):
                kind = ("name", "mono fine")[number] if number < 2 else "small"
                shapes.append(svg.text(left + 12, y, words, kind))
                y += UNIT_LINE
            y += 12
        _outside(facts, user, shapes, left + width / 2)
    return COLUMNS_TOP + height


def _words(unit: Unit) -> list[str]:
    """The lines about one unit: its name, its module, what starts it, its network."""
    return [unit.name.removesuffix(".service"), unit.module, *unit.started, unit.network]


def _outside(facts: Facts, user: str, shapes: list[str], middle: float) -> None:
    """What lies beyond the machine, above the column that talks to it."""
    sockets = any(started.startswith("connections") for unit in facts.of(user) for started in unit.started)
    out = [unit.name.removesuffix(".service") for unit in facts.of(user) if unit.network == "the internet"]
    if sockets:
        words = "browser, or a TLS proxy"
    elif out:
        words = "internet: " + ", ".join(name.removeprefix("tbot-") for name in out)
    else:
        return
    shapes.append(svg.text(middle, OUTSIDE_TOP + 14, words, "", "middle"))
    shapes.append(svg.arrow(middle, OUTSIDE_TOP + 24, COLUMNS_TOP, both=not sockets))


def _key(shapes: list[str], top: float) -> None:
    """The legend, in the empty place above the rows' names."""
    shapes.append(svg.text(MARGIN, top + 24, "Users and their units", "head"))
    shapes.append(svg.text(MARGIN, top + 46, "Each column is a Unix user; all start with", "small"))
    shapes.append(svg.text(MARGIN, top + 62, "tbot.target, by a socket, a time or a file.", "small"))
    for number, (mark, words) in enumerate(
        (
            (Access.WRITE, "reads, writes and removes"),
            (Access.CREATE, "drops files in, cannot list them"),
            (Access.READ, "reads"),
            (Access.PASS, "opens by name what is open to it"),
        )
    ):
        y = top + 96 + number * 22
        shapes.append(_mark(mark, MARGIN + 8, y - 4))
        shapes.append(svg.text(MARGIN + 26, y, words))


def _mark(what: Access, x: float, y: float) -> str:
    match what:
        case Access.WRITE:
            return svg.circle(x, y, 7, "strong")
        case Access.CREATE:
            return svg.path(f"M{x - 7:g} {y - 6:g}L{x + 7:g} {y - 6:g}L{x:g} {y + 7:g}Z", "strong")
        case Access.READ:
            return svg.circle(x, y, 6, "ring")
        case Access.PASS:
            return svg.circle(x, y, 2.5, "dot")
        case Access.NOTHING:
            return ""


def _folders(facts: Facts, shapes: list[str], top: float) -> float:
    shown = [folder for folder in facts.folders if folder.path in MEANING]
    shapes.append(svg.text(MARGIN, top + 14, "Files: the state folder", "head"))
    y = top + 28
    for number, folder in enumerate(shown):
        if number % 2 == 0:
            shapes.append(svg.rect(MARGIN - 8, y, WIDTH - 2 * MARGIN + 16, ROW + 12, "band", 4))
        shapes.append(svg.text(MARGIN, y + 16, f"{folder.path or '/var/lib/tbot'}/", "mono"))
        shapes.append(svg.text(MARGIN, y + 31, MEANING[folder.path], "small"))
        for user in facts.users.groups:
            left, width = _span(facts, user)
            may = access(user, folder, facts.folders, facts.users, facts.units)
            shapes.append(_mark(may, left + width / 2, y + (ROW + 12) / 2))
        y += ROW + 12
    return y


def _layers(facts: Facts, shapes: list[str], top: float) -> float:
    shapes.append(svg.text(MARGIN, top, "Code: each layer may import those below it, never its neighbours", "head"))
    y = top + 14
    for layer in facts.layers:
        width = (WIDTH - 2 * MARGIN - 8 * (len(layer) - 1)) / len(layer)
        for number, name in enumerate(layer):
            left = MARGIN + number * (width + 8)
            shapes.append(svg.rect(left, y, width, 28, "box", 4))
            shapes.append(svg.text(left + width / 2, y + 19, name, "mono", "middle"))
        y += 34
    return y
