"""Refuses keys, secrets and private material in what git would commit: names file, line and rule, never the value."""

import re
import sys
from pathlib import Path

from tbot_bot.support.path_resolver import CODE_ROOT

SKIPPED_FOLDERS = frozenset(
    {".git", ".venv", "control", "output", "backtest_results", "storage", "databases", "__pycache__", ".mypy_cache"}
    | {".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache", "var", "node_modules", "htmlcov"}
)
SKIPPED_FILES = frozenset({"requirements/base.txt", "requirements/dev.txt"})
FORBIDDEN_NAMES = re.compile(r"(\.key|\.enc|\.db|\.age|\.pem|\.p12|\.parquet|\.sqlite3?)$|^\.env(_bot)?(\.test)?$")
RULES = {
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "age identity": re.compile(r"AGE-SECRET-KEY-1[0-9A-Z]{20,}"),
    "Fernet token": re.compile(r"gAAAAA[0-9A-Za-z_-]{60,}"),
    "Fernet key": re.compile(r"(?<![0-9A-Za-z_/+-])[0-9A-Za-z_-]{43}=(?![0-9A-Za-z=])"),
    "AWS key": re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    "Alpaca key": re.compile(r"\b(?:PK|AK)[0-9A-Z]{18}\b"),
    "GitHub token": re.compile(r"\bgh[pousr]_[0-9A-Za-z]{36}\b"),
    "Slack token": re.compile(r"\bxox[abprs]-[0-9A-Za-z-]{10,}"),
}


def tracked_files(root: Path) -> list[Path]:
    """Every file below `root` outside the folders that git ignores."""
    found = []
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if SKIPPED_FOLDERS.isdisjoint(inside.parts) and path.is_file() and str(inside) not in SKIPPED_FILES:
            found.append(path)
    return found


def faults(path: Path, root: Path) -> list[str]:
    """What is wrong with one file, as `file:line: rule`."""
    name = path.relative_to(root)
    out = [f"{name}: a file of this kind holds keys, secrets or data"] if FORBIDDEN_NAMES.search(path.name) else []
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError:
        return out
    for number, line in enumerate(lines, 1):
        out += [f"{name}:{number}: looks like a {rule}" for rule, pattern in RULES.items() if pattern.search(line)]
    return out


def main() -> int:
    files = tracked_files(CODE_ROOT)
    found = [fault for path in files for fault in faults(path, CODE_ROOT)]
    for fault in found:
        print(fault)
    print(f"secret scan: {len(files)} files, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
