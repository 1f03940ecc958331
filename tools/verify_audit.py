"""Verify the audit log: `python -m tools.verify_audit`, with `--recovery-file F` down to every signature.

Prints the range of numbers and OK, or the first record that is not as it was written. Exit 0: all is well; 1: the log
was changed; 2: it could not be checked as asked. Without the recovery key, and once the first key is sealed to it, the
chain of hashes and the anchors are checked, not the signatures of the past; it says so.

`--recovery-file`: a file (mode 0600) with the recovery key, as age-keygen writes it or as the page showed it.
`--first-key`: a first.key.age kept elsewhere, for one that may have been replaced here.
`--anchor`: the end of the log as a journal line "audit head" or someone's note has it; may be given more than once.
`--log`: an audit.jsonl elsewhere, beside its head.json and first key, such as one taken from a backup."""

import argparse
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.reporting.audit_verify import Level, Verified, verify
from tbot_bot.support.audit_anchors import Anchor, known_anchors, parse_anchor
from tbot_bot.support.path_resolver import Paths, root_from_environment

OK, CHANGED, NOT_CHECKED = 0, 1, 2
_LONGEST_FILE = 16 * 1024


class CannotCheck(Exception):
    """What was asked for cannot be done; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class _Elsewhere(Paths):
    """The paths of a root, with an audit log that lies elsewhere."""

    log: Path

    @property
    def audit_log(self) -> Path:
        return self.log


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        paths = Paths(root_from_environment())
        anchors = [*_typed(given.anchor), *(() if given.log else known_anchors(paths))]
        if given.log is not None:
            paths = _Elsewhere(paths.root, given.log.absolute())
        identity = None if given.recovery_file is None else read_identity(given.recovery_file)
        found = verify(paths, identity=identity, anchors=anchors, sealed=given.first_key)
    except (CannotCheck, AuditUnavailable) as error:
        print(f"audit log: not checked: {error}")
        return NOT_CHECKED
    except OSError as error:
        print(f"audit log: not checked: {error.filename}: {error.strerror}; run it as the user whose log it is")
        return NOT_CHECKED
    _tell(found)
    return OK if found.problem is None else CHANGED


def read_identity(path: Path) -> str:
    """The recovery key in `path`; blanks, dashes between groups and comments do not count. Raises CannotCheck."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) or stat.S_IMODE(mode) & 0o077:
            raise CannotCheck(f"{path} must be a file that only you can read: chmod 600 it")
        text = path.read_text("utf-8", "replace")[:_LONGEST_FILE]
    except OSError as error:
        raise CannotCheck(f"{path} cannot be read: {error.strerror}") from error
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    identity = "".join("".join(lines).split()).upper()
    head, _, rest = identity.partition("AGE-SECRET-KEY-1")
    if head or not rest:
        raise CannotCheck(f"{path} holds no recovery key: one begins with AGE-SECRET-KEY-1")
    return f"AGE-SECRET-KEY-1{rest.replace('-', '')}"


def _typed(texts: Sequence[str]) -> list[Anchor]:
    found = []
    for text in texts:
        anchor = parse_anchor(text, "--anchor")
        if anchor is None:
            raise CannotCheck(f"--anchor {text[:80]!r} is not a number, a colon and 64 hexadecimal digits")
        found.append(anchor)
    return found


def _tell(found: Verified) -> None:
    if found.torn:
        print(f"audit log: {found.torn} bytes of a cut-off write at the end; the runner removes them when it starts")
    for where in sorted({one.anchor.where for one in found.anchors}):
        seen = [one for one in found.anchors if one.anchor.where == where]
        good = sum(one.ok for one in seen)
        print(f"audit log: {good} of {len(seen)} anchors agree, last at record {seen[-1].anchor.seq} ({where})")
    if found.problem is not None:
        print(f"audit log: BAD after record {found.last}: {found.problem}")
        return
    span = f"records 1 to {found.last}" if found.last else "no records yet"
    how = "every signature" if found.level is Level.FULL else "chain and anchors; signatures need --recovery-file"
    print(f"audit log: {span}, last hash {found.line_hash} ({how}): OK")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools.verify_audit", description="Verify the audit log.")
    parser.add_argument("--recovery-file", type=Path, metavar="F", help="file with the recovery key, mode 0600")
    parser.add_argument("--first-key", type=Path, metavar="F", help="a sealed first key kept elsewhere")
    parser.add_argument("--anchor", action="append", default=[], metavar="SEQ:HASH", help="an end seen before")
    parser.add_argument("--log", type=Path, metavar="F", help="another audit.jsonl, beside its head and first key")
    return parser


if __name__ == "__main__":
    sys.exit(main())
