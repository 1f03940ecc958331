"""Whether a file that is here goes on from the one in a backup: such a file is never replaced by its own past."""

from pathlib import Path

from tbot_bot.reporting.audit_chain import hash_of

_CHUNK = 1 << 16


def goes_on_from(here: Path, earlier: Path) -> bool:
    """Whether `here` begins with all of `earlier`."""
    if not here.is_file() or here.stat().st_size < earlier.stat().st_size:
        return False
    with here.open("rb") as now, earlier.open("rb") as then:
        while chunk := then.read(_CHUNK):
            if now.read(len(chunk)) != chunk:
                return False
    return True


def line_hash_at(log: Path, number: int) -> str:
    """sha256 of the log's line `number`, without its newline; "" when it has fewer."""
    if not log.is_file():
        return ""
    with log.open("rb") as file:
        for count, line in enumerate(file, 1):
            if count == number:
                return hash_of(line.removesuffix(b"\n"))
    return ""
