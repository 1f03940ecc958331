"""Pages over several symbols: `limit` counts across all of them; a token is base64 of `symbol|kind|time`."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiohttp import web

from tbot_bot.paper.refusal import invalid
from tbot_bot.paper.sessions import midnight_ms
from tbot_bot.paper.web import VENUE, Refused, choice_of, number_of, time_of

PAGE_DEFAULT, PAGE_TOP = 1000, 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked for: [start, end] in ms. `after`: symbol and µs of the last item given."""

    start_ms: int
    end_ms: int
    limit: int
    descending: bool
    after: tuple[str, int] | None


Read = Callable[[int, int | None], Iterable[tuple[int, str]]]
"""A symbol's row and the µs after (or, descending, before) which to go on → its items as (µs, JSON)."""


def window_of(request: web.Request, now_ms: int) -> Window:
    """From today's midnight to now unless told otherwise. Raises Refused."""
    start, end = time_of(request, "start"), time_of(request, "end")
    return Window(
        midnight_ms(request.app[VENUE].view.day(now_ms).day) if start is None else start,
        now_ms if end is None else end,
        number_of(request, "limit", PAGE_DEFAULT, PAGE_TOP),
        choice_of(request, "sort", ("asc", "desc"), "asc") == "desc",
        _read_token(request.query.get("page_token")),
    )


def page_of(names: Sequence[str], window: Window, kind: str, read: Read) -> tuple[dict[str, list[str]], str | None]:
    """Symbol by symbol; the token is None on the last page."""
    page: dict[str, list[str]] = {}
    left, last = window.limit, ""
    for row, name in enumerate(names):
        after = None
        if window.after is not None:
            if name < window.after[0]:
                continue
            after = window.after[1] if name == window.after[0] else None
        for us, text in read(row, after):
            if after is not None and (us >= after if window.descending else us <= after):
                continue
            if left == 0:
                return page, last
            page.setdefault(name, []).append(text)
            left -= 1
            last = base64.b64encode(f"{name}|{kind}|{stamp(us)}".encode()).decode()
    return page, None


def page_text(name: str, page: dict[str, list[str]], token: str | None, single: str | None) -> str:
    """The answer's JSON: a list for a single symbol, else an object of lists."""
    following = f'"next_page_token":{json.dumps(token)}'
    if single is not None:
        return f'{{"symbol":{json.dumps(single)},"{name}":[{",".join(page.get(single, ()))}],{following}}}'
    shown = ",".join(f"{json.dumps(symbol)}:[{','.join(items)}]" for symbol, items in page.items())
    return f'{{"{name}":{{{shown}}},{following}}}'


def stamp(us: int) -> str:
    """RFC 3339 with as many decimals as needed, six at most."""
    seconds, rest = divmod(us, 1_000_000)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:06d}Z" if rest else f"{text}Z"


def _read_token(token: str | None) -> tuple[str, int] | None:
    if not token:
        return None
    try:
        symbol, _, text = base64.b64decode(token, validate=True).decode().split("|")
        return symbol, (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
    except (binascii.Error, UnicodeDecodeError, ValueError, TypeError):
        raise Refused(invalid("invalid page_token")) from None
