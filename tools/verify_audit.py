"""Verify the audit log: `python -m tools.verify_audit`.

Prints the range of numbers and OK, or the first record that is not as it was written. Exit 0 only when all is well."""

import sys

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.reporting.audit import verify
from tbot_bot.support.path_resolver import Paths, root_from_environment


def main() -> int:
    try:
        found = verify(Paths(root=root_from_environment()))
    except AuditUnavailable as error:
        print(f"audit log: BAD: {error}")
        return 1
    if found.torn:
        print(f"audit log: {found.torn} bytes of a cut-off write at the end; the runner removes them when it starts")
    if found.problem is not None:
        print(f"audit log: BAD after record {found.last}: {found.problem}")
        return 1
    span = f"records 1 to {found.last}" if found.last else "no records yet"
    print(f"audit log: {span}, last hash {found.line_hash}: OK")
    return 0


if __name__ == "__main__":
    sys.exit(main())
