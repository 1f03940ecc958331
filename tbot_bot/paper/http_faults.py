"""Faults of an HTTP face: slow answers, error statuses, connections that are cut, answers that are not as they were."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tbot_bot.paper.faults import Faults


async def under_faults(
    faults: Faults,
    request: web.Request,
    act: Callable[[], Awaitable[web.StreamResponse]],
    refuse: Callable[[int], web.StreamResponse],
) -> web.StreamResponse:
    """What `act` answers, or what comes of it. `refuse` words a status; 504 and a cut "after" carry the act out."""
    if faults.latency_ms:
        await asyncio.sleep(faults.latency_ms / 1000)
    status = faults.take_http(request.method, request.path)
    if status and status != 504:
        return refuse(status)
    cut = faults.take_cut(request.method)
    if cut == "before":
        return _cut(request)
    response = await act()
    if cut == "after":
        return _cut(request)
    if cut == "within":
        return await _halved(request, response)
    if faults.mangle and isinstance(response, web.Response) and response.content_type == "application/json":
        _mangle(faults, response)
    return refuse(status) if status else response


def _cut(request: web.Request) -> web.StreamResponse:
    """The connection ends without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _halved(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """All of the headers and half of the body, then the end of the connection."""
    body = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""
    headers = {"Content-Type": response.content_type, "Content-Length": str(len(body))}
    half = web.StreamResponse(status=response.status, headers=headers)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return half


def _mangle(faults: Faults, response: web.Response) -> None:
    names = frozenset(faults.mangle_fields.split(","))
    response.text = json.dumps(_changed(json.loads(response.text or "null"), faults.mangle, names))


def _changed(value: Any, how: str, names: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_changed(each, how, names) for each in value]
    if isinstance(value, dict):
        kept = {k: _changed(v, how, names) for k, v in value.items() if how != "drop" or k not in names}
        if how == "null":
            kept |= dict.fromkeys(names & kept.keys())
        return kept | {"a_field_of_tomorrow": {"nested": [1, None]}} if how == "extra" and kept else kept
    if how == "text" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value
