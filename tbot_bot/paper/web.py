"""What the HTTP handlers share: who asks, JSON bodies, parameters, refusals."""

import base64
import binascii
import json
import sqlite3
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal

from aiohttp import web

from tbot_bot.paper.book import Account
from tbot_bot.paper.http_faults import under_faults
from tbot_bot.paper.plans import Budget
from tbot_bot.paper.refusal import Refusal, invalid
from tbot_bot.paper.sessions import NEW_YORK
from tbot_bot.paper.venue import Venue

VENUE = web.AppKey("venue", Venue)
FATAL: web.AppKey[Callable[[BaseException], None]] = web.AppKey("fatal", Callable[[BaseException], None])  # type: ignore[arg-type]
TRADING_BUDGET: web.AppKey[Budget] = web.AppKey("trading_budget", Budget)
DATA_BUDGET: web.AppKey[Budget] = web.AppKey("data_budget", Budget)
ACCOUNT = web.RequestKey("account", Account)
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
MAX_BODY = 64 * 1024
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_DATA_PATHS = ("/v2/stocks/", "/v1beta1/", "/v1beta3/", "/v1/")
_STREAM_PATHS = ("/stream", "/v2/iex", "/v2/sip", "/v2/delayed_sip")
_FAULT_MESSAGES = {
    200: "request is being processed",
    400: "request body format is invalid",
    502: "bad gateway",
    429: "rate limit exceeded",
    500: "internal server error occurred",
    503: "service unavailable",
    504: "gateway timeout",
}


class Refused(Exception):
    """Carries a refusal out of a parameter that cannot be read; the middleware answers with it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def answer(data: object, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(data), status=status, content_type="application/json")


def refuse(refusal: Refusal) -> web.Response:
    return answer(refusal.body(), refusal.status)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Faults, credentials, budgets, refusals; a database that fails ends the venue, which restarts from the disk."""

    async def act() -> web.StreamResponse:
        try:
            return await _guarded(request, handler)
        except sqlite3.Error as e:
            request.app[FATAL](e)
            return _fault_answer(500)

    response = await under_faults(request.app[VENUE].faults, request, act, _fault_answer)
    if not response.prepared:
        response.headers["X-Request-ID"] = uuid.uuid4().hex
    return response


async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    if _is_stream(request.path):
        return await handler(request)
    account = request.app[VENUE].authenticate(*_credentials(request))
    if account is None:
        return answer({"code": 40110000, "message": "unauthorized."}, 401)
    request[ACCOUNT] = account
    is_data = request.path.startswith(_DATA_PATHS)
    allowance = request.app[DATA_BUDGET if is_data else TRADING_BUDGET].take(account.id)
    if allowance is not None and not allowance.granted:
        response: web.StreamResponse = _too_many(is_data=is_data)
    else:
        response = await _answered(request, handler, is_data=is_data)
    if allowance is not None:
        response.headers.update(allowance.headers)
    return response


def _too_many(*, is_data: bool) -> web.Response:
    """In the words of the API that was asked."""
    return answer({"message": "too many requests."}, 429) if is_data else _fault_answer(429)


async def _answered(request: web.Request, handler: Handler, *, is_data: bool) -> web.StreamResponse:
    """The data API answers 400 and has no codes where the trading API answers 422 with one."""
    try:
        return await handler(request)
    except Refused as e:
        if is_data:
            return answer({"message": e.refusal.message}, 400 if e.refusal.status == 422 else e.refusal.status)
        return refuse(e.refusal)
    except web.HTTPException as e:
        return answer({"code": e.status * 100_000 + 10_000, "message": e.reason}, e.status)


def _is_stream(path: str) -> bool:
    return path in _STREAM_PATHS


def _fault_answer(status: int) -> web.Response:
    return answer({"code": status * 100_000 + 10_000, "message": _FAULT_MESSAGES[status]}, status)


def _credentials(request: web.Request) -> tuple[str, str]:
    headers = request.headers
    if "APCA-API-KEY-ID" in headers:
        return headers["APCA-API-KEY-ID"], headers.get("APCA-API-SECRET-KEY", "")
    kind, _, token = headers.get("Authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            key_id, _, secret = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return key_id, secret
    return "", ""


def account_of(request: web.Request) -> Account:
    return request[ACCOUNT]


async def body_of(request: web.Request) -> object:
    """The JSON body, numbers exact. Raises Refused when it is none."""
    try:
        return json.loads(await request.text(), parse_float=Decimal)
    except (ValueError, UnicodeDecodeError, RecursionError):
        raise Refused(invalid("request body format is invalid")) from None


def number_of(request: web.Request, name: str, default: int, top: int) -> int:
    value = request.query.get(name)
    if value is None or value == "":
        return default
    if not value.isascii() or not value.isdigit() or not 1 <= int(value[:12]) <= top:
        raise Refused(invalid(f"{name} must be an integer between 1 and {top}"))
    return int(value)


def flag_of(request: web.Request, name: str) -> bool:
    return request.query.get(name, "").lower() in ("true", "1")


def csv_of(request: web.Request, name: str) -> list[str]:
    return [part.strip() for part in request.query.get(name, "").split(",") if part.strip()]


def choice_of(request: web.Request, name: str, allowed: tuple[str, ...], default: str) -> str:
    value = request.query.get(name) or default
    if value not in allowed:
        raise Refused(invalid(f"invalid {name}: {value}"))
    return value


def time_of(request: web.Request, name: str) -> int | None:
    """Milliseconds of an RFC 3339 time or a date (its midnight in New York)."""
    value = request.query.get(name)
    return None if not value else parse_time(value, name)


def parse_time(value: str, name: str) -> int:
    try:
        stamp = datetime.fromisoformat(value.replace(" ", "+"))
    except ValueError:
        raise Refused(invalid(f"invalid {name}: {value} is no RFC 3339 time")) from None
    if len(value) == 10:
        stamp = stamp.replace(tzinfo=NEW_YORK)
    elif stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=UTC)
    # Clients write "ever" and "never" as the ends of their calendars, which no zone's clock can show.
    if not _EARLIEST.year <= stamp.year < _LATEST.year:
        stamp = _EARLIEST if stamp.year < _EARLIEST.year else _LATEST
    return int(stamp.timestamp() * 1000)
