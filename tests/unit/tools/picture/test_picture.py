"""The picture says what the units, users and folders say."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tbot_bot.support.path_resolver import CODE_ROOT
from tools.picture.access import Access, access
from tools.picture.drawing import MEANING, draw, read_facts, read_layers
from tools.picture.units import Folder, Unit, Users, read_folders, read_units, read_users

FACTS = read_facts(CODE_ROOT)
USERS = Users({"web": ("web", "all", "ask"), "keys": ("keys", "all", "ask")})
SVG = "{http://www.w3.org/2000/svg}"


def unit(user: str, writable: tuple[str, ...] = ("",), hidden: tuple[str, ...] = ()) -> Unit:
    return Unit("x.service", user, "m", (), "no network", writable, hidden)


def may(user: str, folder: Folder, unit_of: Unit, *above: Folder) -> Access:
    return access(user, folder, (*above, folder), USERS, (unit_of,))


TOP = Folder("", "keys", "all", 0o750)
REQUESTS = Folder("requests", "keys", "ask", 0o2730)


def test_a_folder_that_takes_files_and_shows_none_is_create_only() -> None:
    assert may("web", REQUESTS, unit("web"), TOP) is Access.CREATE
    assert may("keys", REQUESTS, unit("keys"), TOP) is Access.WRITE


def test_the_sandbox_takes_away_what_the_mode_gives() -> None:
    assert may("keys", REQUESTS, unit("keys", writable=("elsewhere",)), TOP) is Access.READ
    assert may("keys", REQUESTS, unit("keys", hidden=("requests",)), TOP) is Access.NOTHING


def test_nothing_is_reached_through_a_folder_that_is_closed() -> None:
    closed = Folder("", "keys", "none", 0o700)

    assert may("web", REQUESTS, unit("web"), closed) is Access.NOTHING


def test_the_group_s_bits_count_for_a_member_even_where_everyone_may_more() -> None:
    odd = Folder("odd", "keys", "ask", 0o705)

    assert may("web", odd, unit("web"), TOP) is Access.NOTHING


def test_units_are_read_with_what_starts_them(tmp_path: Path) -> None:
    (tmp_path / "a.service").write_text(
        "[Service]\nUser=u\nExecStart=@PREFIX@/python -m some.module --x\nIPAddressDeny=any\nIPAddressAllow=localhost\n"
        "ReadWritePaths=@STATE_DIR@/control -@STATE_DIR@/output\nInaccessiblePaths=/etc @STATE_DIR@/tbot_bot\n"
    )
    (tmp_path / "a.timer").write_text("[Timer]\nOnCalendar=Sun *-*-* 08:30 UTC\n")
    (tmp_path / "a.path").write_text("[Path]\nDirectoryNotEmpty=@STATE_DIR@/control/jobs/a\n")

    started = ("at Sun 08:30 UTC", "files in control/jobs/a")
    assert read_units(tmp_path) == (
        Unit("a.service", "u", "some.module", started, "loopback only", ("control", "output"), ("tbot_bot",)),
    )


def test_every_user_of_a_unit_is_made_and_every_owner_known() -> None:
    systemd = CODE_ROOT / "systemd"
    users = read_users(systemd).groups
    groups = {group for each in users.values() for group in each}

    assert {each.user for each in read_units(systemd)} == set(users)
    assert {folder.owner for folder in read_folders(systemd)} <= set(users)
    assert {folder.group for folder in read_folders(systemd)} <= groups


@pytest.mark.parametrize("path", MEANING)
def test_every_folder_with_words_exists(path: str) -> None:
    assert path in {folder.path for folder in FACTS.folders}


def test_every_unit_folder_and_layer_is_in_the_picture() -> None:
    words = {text.text for text in ET.fromstring(draw(FACTS)).iter(f"{SVG}text")}

    assert {each.name.removesuffix(".service") for each in FACTS.units} <= words
    assert {name for layer in read_layers(CODE_ROOT / "pyproject.toml") for name in layer} <= words
    assert set(MEANING.values()) <= words


def test_the_picture_is_the_same_each_time_and_holds_no_script() -> None:
    assert draw(FACTS) == draw(read_facts(CODE_ROOT))
    assert re.search(r"<script|href=|onload", draw(FACTS)) is None


def test_no_line_is_wider_than_its_column() -> None:
    """At 6.7 px a letter of the narrow type, which is what the common fonts take at most."""
    longest = max((word for each in FACTS.units for word in (each.module, *each.started, each.network)), key=len)

    assert len(longest) * 6.7 < 210, longest
