"""The venue's own port for its operator: health, the virtual clock, faults. Loopback only, never the public port."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from decimal import Decimal, InvalidOperation

from aiohttp import web

from tbot_bot.paper.book import dump
from tbot_bot.paper.faults import apply
from tbot_bot.paper.market_events import disturbance, split
from tbot_bot.paper.refusal import invalid
from tbot_bot.paper.sessions import rfc3339
from tbot_bot.paper.settings import MAX_SPEED
from tbot_bot.paper.venue import Venue
from tbot_bot.paper.web import Handler, Refused, answer, body_of, parse_time, refuse
from tbot_bot.support.loopback import is_loopback


class Admin:
    """`drop_streams` cuts every stream connection and says how many."""

    def __init__(self, venue: Venue, drop_streams: Callable[[], int], listeners: Callable[[], int]) -> None:
        self._venue = venue
        self._drop_streams = drop_streams
        self._listeners = listeners

    def app(self) -> web.Application:
        app = web.Application(middlewares=[_refusals])
        app.add_routes(
            [
                web.get("/health", self.health),
                web.get("/clock", self.clock),
                web.post("/clock", self.set_speed),
                web.post("/clock/pause", self.pause),
                web.post("/clock/run", self.run),
                web.post("/clock/skip_to", self.skip_to),
                web.get("/faults", self.faults),
                web.post("/faults", self.set_faults),
                web.delete("/faults", self.clear_faults),
                web.get("/truth", self.truth),
                web.get("/market/events", self.events),
                web.post("/market/events", self.add_event),
            ]
        )
        return app

    async def health(self, request: web.Request) -> web.Response:
        now = self._venue.sync()
        return answer(
            {
                "status": "ok",
                "market": self._venue.settings.market,
                "time": rfc3339(now),
                "is_open": self._venue.view.is_open(now),
                "accounts": len(self._venue.exchange.accounts),
                "open_orders": len(self._venue.exchange.open),
                "fills": len(self._venue.exchange.fills),
                "listeners": self._listeners(),
            }
        )

    async def clock(self, request: web.Request) -> web.Response:
        clock = self._venue.clock
        return answer({"time": rfc3339(self._venue.sync()), "speed": str(clock.speed), "running": clock.running})

    async def set_speed(self, request: web.Request) -> web.Response:
        body = await _object(request)
        try:
            speed = Decimal(str(body.get("speed")))
        except InvalidOperation:
            return refuse(invalid("speed must be a number"))
        if not speed.is_finite() or not 0 < speed <= MAX_SPEED:
            return refuse(invalid(f"speed must be above 0 and at most {MAX_SPEED}"))
        self._venue.set_speed(speed)
        return await self.clock(request)

    async def pause(self, request: web.Request) -> web.Response:
        self._venue.pause()
        return await self.clock(request)

    async def run(self, request: web.Request) -> web.Response:
        self._venue.run()
        return await self.clock(request)

    async def skip_to(self, request: web.Request) -> web.Response:
        body = await _object(request)
        target = parse_time(str(body.get("time", "")), "time")
        if not self._venue.clock.skip_to(target):
            return refuse(invalid("the clock only goes forward: time lies in its past"))
        return await self.clock(request)

    async def truth(self, request: web.Request) -> web.Response:
        """What the exchange holds of the account of a key id, whatever a face says; empty for an unknown one."""
        self._venue.sync()
        account = self._venue.known(request.query.get("account", ""))
        if account is None:
            return answer({"orders": [], "fills": [], "positions": {}, "cash": None})
        exchange = self._venue.exchange
        return answer(
            {
                "orders": [dump(order) for order in exchange.orders.values() if order.account == account.id],
                "fills": [dump(fill) for fill in exchange.fills if fill.account == account.id],
                "positions": {name: format(held.qty, "f") for name, held in account.positions.items()},
                "cash": format(account.cash, "f"),
            }
        )

    async def events(self, request: web.Request) -> web.Response:
        return answer([asdict(event) for event in self._venue.market.events])

    async def add_event(self, request: web.Request) -> web.Response:
        """`symbol` with `split` (new shares for an old one), or `percent` to jump by and `halt_minutes` before it."""
        body, now = await _object(request), self._venue.sync()
        symbol, view = str(body.get("symbol", "")), self._venue.view
        if symbol not in self._venue.market.index:
            return refuse(invalid(f"symbol {symbol[:20]!r} is not listed"))
        if "split" in body:
            ratio = _number(body, "split", Decimal("0.01"), Decimal(100))
            self._venue.happen(split(view, symbol, ratio, now))
        else:
            percent = _number(body, "percent", Decimal(-99), Decimal(1000))
            minutes = int(_number(body, "halt_minutes", Decimal(0), Decimal(390)))
            self._venue.happen(disturbance(view, symbol, float(percent), minutes, now))
        return await self.events(request)

    async def faults(self, request: web.Request) -> web.Response:
        return answer(self._venue.faults.describe())

    async def set_faults(self, request: web.Request) -> web.Response:
        body = await _object(request)
        self._venue.sync()
        refusal = apply(self._venue.faults, body)
        if refusal is not None:
            return refuse(refusal)
        shown = self._venue.faults.describe()
        if body.get("drop_streams"):
            shown["dropped"] = self._drop_streams()
        return answer(shown)

    async def clear_faults(self, request: web.Request) -> web.Response:
        self._venue.sync()
        self._venue.faults.clear()
        return answer(self._venue.faults.describe())


def _number(body: Mapping[str, object], name: str, least: Decimal, most: Decimal) -> Decimal:
    try:
        number = Decimal(str(body.get(name, 0)))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not least <= number <= most:
        raise Refused(invalid(f"{name} must be a number from {least} to {most}"))
    return number


async def _object(request: web.Request) -> Mapping[str, object]:
    body = await body_of(request)
    if not isinstance(body, Mapping):
        raise Refused(invalid("send a JSON object"))
    return body


def _is_local(host: str) -> bool:
    """Whether a Host header names loopback, so that no page can reach this port under a name of its own."""
    name = host.rpartition(":")[0] if host.count(":") == 1 or "]" in host else host
    return is_loopback(name.strip("[]"))


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    if "Origin" in request.headers or not _is_local(request.host):
        return answer({"message": "the admin port is not for web pages"}, 403)
    try:
        return await handler(request)
    except Refused as e:
        return refuse(e.refusal)
