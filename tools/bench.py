"""Benchmarks: `python -m tools.bench [--part NAME]`; each measure beside a reference taken in the same run.

A line each: `bench NAME: VALUE UNIT ratio=R vs=REFERENCE`, where R = value / reference."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tbot_bot.support.path_resolver import Paths, root_from_environment
from tools.bench_adapters import adapters_bench
from tools.bench_books import atomic_bench, ledger_bench
from tools.bench_engine import engine_bench
from tools.bench_processes import request_bench, start_bench
from tools.bench_quotes import quotes_bench
from tools.bench_venue import venue_bench
from tools.figures import Measure, report_measures

PARTS: Mapping[str, Callable[[Path], tuple[Measure, ...]]] = {
    "request": request_bench,
    "engine": engine_bench,
    "quotes": quotes_bench,
    "atomic": atomic_bench,
    "ledger": ledger_bench,
    "start": start_bench,
    "venue": venue_bench,
    "adapters": adapters_bench,
}
"""Name → (an empty folder) → what was measured."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools.bench")
    parser.add_argument("--part", choices=sorted(PARTS), help="this part only")
    arguments = parser.parse_args()
    paths = Paths(root_from_environment())
    for name in [arguments.part] if arguments.part else list(PARTS):
        with tempfile.TemporaryDirectory(prefix=f"tbot-bench-{name}-", ignore_cleanup_errors=True) as folder:
            report_measures(paths, name, PARTS[name](Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
