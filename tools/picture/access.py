"""Who may do what in which folder: modes and groups, then what the unit's sandbox leaves of that."""

from collections.abc import Mapping, Sequence
from enum import Enum

from tools.picture.units import Folder, Unit, Users


class Access(Enum):
    """In order of power."""

    NOTHING = 0
    PASS = 1
    READ = 2
    CREATE = 3
    WRITE = 4


_READ, _WRITE, _ENTER = 4, 2, 1


def access(user: str, folder: Folder, folders: Sequence[Folder], users: Users, units: Sequence[Unit]) -> Access:
    """The most that any of the user's units can do there."""
    by_path = {each.path: each for each in folders}
    mine = [unit for unit in units if unit.user == user]
    return max((_of_unit(unit, folder, by_path, users) for unit in mine), key=lambda a: a.value, default=Access.NOTHING)


def _of_unit(unit: Unit, folder: Folder, folders: Mapping[str, Folder], users: Users) -> Access:
    if any(_inside(folder.path, hidden) for hidden in unit.hidden):
        return Access.NOTHING
    bits = _bits(unit.user, folder, users)
    above = [each for each in _parents(folder.path) if each in folders]
    if not bits & _ENTER or not all(_bits(unit.user, folders[each], users) & _ENTER for each in above):
        return Access.NOTHING
    if bits & _WRITE and any(_inside(folder.path, path) for path in unit.writable):
        return Access.WRITE if bits & _READ else Access.CREATE
    return Access.READ if bits & _READ else Access.PASS


def _bits(user: str, folder: Folder, users: Users) -> int:
    """As the kernel picks them: the owner's, else the group's, else everyone's."""
    if folder.owner == user:
        return folder.mode >> 6 & 7
    return folder.mode >> 3 & 7 if folder.group in users.groups.get(user, ()) else folder.mode & 7


def _parents(path: str) -> list[str]:
    parts = path.split("/") if path else []
    return ["/".join(parts[:count]) for count in range(len(parts))]


def _inside(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")
