"""The server: who asks, how often, faults, and the routes."""

import sqlite3
from collections import Counter
from functools import partial

from aiohttp import web

from tbot_bot.paper.face import QUOTES_EVERY_STEPS, Fail, HttpSite
from tbot_bot.paper.http_faults import under_faults
from tbot_bot.paper.plans import PLANS
from tbot_bot.paper.sessions import MINUTE_MS
from tbot_bot.paper.venue import Venue
from tbot_bot.paper.web import ACCOUNT, MAX_BODY, VENUE, Handler
from tbot_bot.support.clock import SystemClock
from tools.counterparts.tradier import markets, trading
from tools.counterparts.tradier.events import Events
from tools.counterparts.tradier.shape import Problem, account_number, problem

PER_MINUTE = 120
"""Requests of a market minute, of the account and of market data each, where the venue's plan says nothing else."""
STREAMS = ("/v1/markets/events", "/v1/accounts/events")
"""Whose clients name a session instead of a token."""
_QUOTA = "Quota Violation"


class TradierFace:
    """Answers under /v1. A token opens the account of its own, whose number the path must name."""

    def __init__(self, venue: Venue, fail: Fail) -> None:
        self._venue = venue
        self._fail = fail
        self._used: Counter[tuple[str, str]] = Counter()
        self._minute = 0
        plan = PLANS[venue.settings.plan]
        self._limits = {
            "trading": plan.trading_requests or PER_MINUTE,
            "markets": plan.data_requests or PER_MINUTE,
        }
        app = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY)
        app[VENUE] = venue
        trading.add_routes(app)
        markets.add_routes(app)
        self._events = Events(venue)
        self._events.add_routes(app)
        self._site = HttpSite(app)

    async def start(self, host: str, port: int) -> int:
        return await self._site.start(host, port)

    def move(self, now_ms: int, real_s: float, step: int) -> None:
        if step % QUOTES_EVERY_STEPS == 0:
            self._events.tell_market(now_ms)

    def drop(self) -> int:
        return self._events.drop()

    def listeners(self) -> int:
        return self._events.listeners

    async def stop(self) -> None:
        await self._site.stop()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return await under_faults(
            self._venue.faults, request, lambda: self._known(request, handler), partial(_error, request)
        )

    async def _known(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in STREAMS:
            return await handler(request)
        token = request.headers.get("Authorization", "").partition(" ")[2]
        account = self._venue.authenticate(token, token)
        if account is None:
            return _fault("Invalid Access Token", "keymanagement.service.invalid_access_token")
        named = request.match_info.get("account")
        if named is not None and named != account_number(token):
            return _fault("Unauthorized Account", "security.account.unauthorized")
        request[ACCOUNT] = account
        return await self._answer(request, handler, token)

    async def _answer(self, request: web.Request, handler: Handler, token: str) -> web.StreamResponse:
        kind = "markets" if request.path.startswith("/v1/markets") else "trading"
        limit, now = self._limits[kind], self._venue.clock.now_ms()
        minute = now // MINUTE_MS
        if minute != self._minute:
            self._minute, self._used = minute, Counter()
        self._used[(token, kind)] += 1
        used = self._used[(token, kind)]
        if used > limit:
            response: web.StreamResponse = web.Response(text=_QUOTA, status=429)
        else:
            try:
                response = await handler(request)
            except Problem as found:
                response = problem(request, found)
            except web.HTTPException as error:
                response = web.Response(text=error.reason, status=error.status)
            except sqlite3.Error as error:
                self._fail(error)
                return web.Response(text="Internal Server Error", status=500)
        left_s = ((minute + 1) * MINUTE_MS - now) / 1000 / max(float(self._venue.clock.speed), 1.0)
        response.headers["X-Ratelimit-Allowed"] = str(limit)
        response.headers["X-Ratelimit-Used"] = str(min(used, limit))
        response.headers["X-Ratelimit-Available"] = str(max(limit - used, 0))
        response.headers["X-Ratelimit-Expiry"] = str(int((SystemClock().now().timestamp() + left_s) * 1000))
        return response


def _error(request: web.Request, status: int) -> web.Response:
    """As the server words a status; one of 200 is a refusal too."""
    if status == 200:
        return problem(request, Problem(200, "The request could not be carried out, please try again."))
    words = {400: "Invalid parameter, class: is required.", 429: _QUOTA, 502: "Bad Gateway", 503: "Service Unavailable"}
    return web.Response(text=words.get(status, "Internal Server Error"), status=status)


def _fault(words: str, code: str) -> web.Response:
    return web.json_response({"fault": {"faultstring": words, "detail": {"errorcode": code}}}, status=401)
