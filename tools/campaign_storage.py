"""Crash safety of everything that the runner writes: kill -9, failing calls and power cuts at every system call.

A point is one fault, after which the runner is started again and everything is checked: see tools/faults/."""

import json
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tools.child import end, start_python
from tools.faults.selftest import Verdict
from tools.faults.strace import program
from tools.figures import Campaign

WORKERS = 2
_MEMORY = Path("/dev/shm")  # noqa: S108 - thousands of small roots, none of which outlives the campaign
_POINTS = ("kill", "errno", "power cut")


def storage_campaign(size: str, seed: int) -> Campaign:
    """A point is one fault. Raises NoStrace when `strace` is not installed."""
    program()
    began = time.monotonic()
    place = str(_MEMORY) if _MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="tbot-storage-", dir=place))
    broken = _run(folder, "prepare", ["prepare", "1", size, str(seed)])
    if not broken:
        broken = _run_side_by_side(folder, size, seed)
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("found-*.json"))]
    counts: Counter[str] = sum((Counter(each["counts"]) for each in found), Counter())
    sabotages = [row for each in found for row in each["sabotages"]]
    violations = (*broken, *(words for each in found for words in each["violations"]))
    print(_summary(counts, sabotages), flush=True)
    detail = {**counts, "self-test": sabotages, "kept": str(folder) if violations else ""}
    if not violations:
        shutil.rmtree(folder)
    return Campaign("storage", sum(counts[kind] for kind in _POINTS), violations, time.monotonic() - began, detail)


def _run_side_by_side(folder: Path, size: str, seed: int) -> tuple[str, ...]:
    workers = {
        number: start_python(_words(folder, [str(number), str(WORKERS), size, str(seed)]), folder / f"{number}.txt")
        for number in range(WORKERS)
    }
    return tuple(
        f"worker {number} ended with {worker.returncode}; see {folder / f'{number}.txt'}"
        for number, worker in workers.items()
        if worker.wait() != 0 or end(worker)
    )


def _run(folder: Path, name: str, arguments: list[str]) -> tuple[str, ...]:
    output = folder / f"{name}.txt"
    process = start_python(_words(folder, arguments), output)
    return () if process.wait() == 0 else (f"{name} failed: {output.read_text()[-2000:]}",)


def _words(folder: Path, arguments: list[str]) -> list[str]:
    return ["-m", "tools.faults.worker", str(folder), *arguments]


def _summary(counts: Counter[str], sabotages: list[dict[str, Any]]) -> str:
    """One line of counts, before the closing line that all campaigns have."""
    words = [f"{kind}={counts[kind]}" for kind in _POINTS]
    for kind, name in (("fsync", "fsyncs forgotten"), ("call", "calls swapped"), ("step", "steps swapped")):
        found = Counter(row["verdict"] for row in sabotages if row["kind"] == kind)
        states = sum(row["states"] for row in sabotages if row["kind"] == kind and row["verdict"] == Verdict.FREE)
        caught = sum(found[verdict] for verdict in (Verdict.LAW, Verdict.ORDER, Verdict.START))
        parts = [f"caught {caught}", f"not caught {found[Verdict.SPARE]}"]
        if kind != "fsync":
            parts = [f"caught {caught}", f"free {found[Verdict.FREE]} with {states} states right"]
            parts += [f"built on one another {found[Verdict.BUILT_ON]}", f"SQLite's own {found[Verdict.SQLITE]}"]
        words.append(f"{name}={found.total()} ({', '.join(parts)})")
    return "  storage: " + ", ".join(words)
