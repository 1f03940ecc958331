"""Faults on demand: what the admin port switches on, and what the rest of the venue asks before it acts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tbot_bot.paper.refusal import Refusal, invalid

STATUSES = (200, 400, 429, 500, 502, 503, 504)
CUTS = ("before", "after", "within")
"""The act, or within its answer: half of it arrives."""
MANGLES = ("drop", "null", "text", "extra")
"""Named fields left out, made null, all numbers made text, unknown fields added to all objects."""


@dataclass(slots=True)
class Faults:
    """`http_status` answers the next `http_count` calls (of `http_method` under `http_path`, empty = any); 504 is sent
    after the request was carried out, 200 says that it was not, in the words of a refusal where the protocol has such.
    `cut` (see CUTS) ends the connections of the next `cut_count` calls (of `cut_method`) without an answer or with half
    of it. `mangle` (see MANGLES) changes answers while it is set; with
    "drop" and "null" the comma-separated `mangle_fields`. Counts of fill messages to duplicate and to lose; each is
    used up once. `phantom_cancels`: so many next orders are taken in and yet told to be wrong. `hide_orders`: lists of
    orders lag behind their fills and show none. `announce`: a code of connectivity that a socket protocol tells all its
    clients. `partial_fills`: so many next orders fill in halves. `clock_skew_s` is added to what `/v2/clock` says.
    """

    latency_ms: int = 0
    cut: str = ""
    cut_count: int = 0
    cut_method: str = ""
    mangle: str = ""
    mangle_fields: str = ""
    http_status: int = 0
    http_count: int = 0
    http_method: str = ""
    http_path: str = ""
    mute_streams: bool = False
    duplicate_fills: int = 0
    missing_fills: int = 0
    late_fills_ms: int = 0
    partial_fills: int = 0
    phantom_cancels: int = 0
    hide_orders: bool = False
    announce: int = 0
    clock_skew_s: int = 0
    halted: set[str] = field(default_factory=set)

    def take_http(self, method: str, path: str) -> int:
        """The status to answer this call with, 0 for none; counts it."""
        if self.http_count <= 0 or self.http_method not in ("", method) or not path.startswith(self.http_path):
            return 0
        self.http_count -= 1
        return self.http_status

    def take_cut(self, method: str) -> str:
        """When to cut this call's connection, "" for not at all; counts it."""
        if self.cut_count <= 0 or self.cut_method not in ("", method):
            return ""
        self.cut_count -= 1
        return self.cut

    def take(self, name: str) -> bool:
        """Uses up one of a count."""
        left = int(getattr(self, name))
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0

    def describe(self) -> dict[str, Any]:
        return {**asdict(self), "halted": sorted(self.halted)}

    def clear(self) -> None:
        fresh = Faults()
        for name in asdict(fresh):
            setattr(self, name, getattr(fresh, name))


def apply(faults: Faults, body: object) -> Refusal | None:
    """Sets the named faults, all or none. `halt` and `resume` take a symbol."""
    if not isinstance(body, Mapping):
        return invalid("send a JSON object of faults; GET /faults shows their names")
    plain = {key: value for key, value in body.items() if key not in ("halt", "resume", "drop_streams")}
    known = {name: type(value) for name, value in asdict(faults).items() if name != "halted"}
    for name, value in plain.items():
        if name not in known:
            return invalid(
                f"unknown fault {name!r}; known: {', '.join(sorted([*known, 'halt', 'resume', 'drop_streams']))}"
            )
        if type(value) is not known[name] or (isinstance(value, int) and name != "clock_skew_s" and value < 0):
            return invalid(f"{name} must be a non-negative {known[name].__name__}")
    if plain.get("cut", "") not in ("", *CUTS) or plain.get("mangle", "") not in ("", *MANGLES):
        return invalid(f"cut must be one of {', '.join(CUTS)}, mangle one of {', '.join(MANGLES)}")
    if plain.get("http_status", 0) not in (0, *STATUSES):
        return invalid(f"http_status must be one of {', '.join(map(str, STATUSES))}")
    for name, value in plain.items():
        setattr(faults, name, value)
    if "halt" in body:
        faults.halted.add(str(body["halt"]))
    if "resume" in body:
        faults.halted.discard(str(body["resume"]))
    return None
