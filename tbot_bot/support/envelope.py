"""What a sealed request and its reply look like on disk.

A request is one line `tbot-request-1 KIND ID`, a newline, and the sealed JSON of the rest; KIND and ID are bound into
the seal. It carries an ephemeral public key, and the reply is sealed to that: only who asked can read the answer, and
only the runner can have written it, for only the runner has seen that key."""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tbot_bot.domain.errors import RequestRefused
from tbot_bot.support.sealing import KEY_BYTES, seal, unseal

REQUEST_SUFFIX = ".req"
REPLY_SUFFIX = ".rep"
MAX_BYTES = 64 * 1024

_VERSION = "tbot-request-1"
_REPLY_VERSION = "tbot-reply-1"
_HEAD = re.compile(rb"tbot-request-1 ([a-z_]{1,32}) ([0-9a-f]{32})\n")


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the runner sees it. `at` UTC, `ip` as the web saw it, `reply_to` 32 raw bytes."""

    kind: str
    id: str
    at: datetime
    ip: str
    reply_to: bytes
    token: str | None = field(repr=False)
    body: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """The runner's answer. `code` is "ok" or a short reason, `message` the user's words.

    `faults`: one {key, value, message, allowed, nearest} per wrong value."""

    ok: bool
    code: str
    message: str
    body: dict[str, Any] = field(default_factory=dict, repr=False)
    faults: tuple[dict[str, str], ...] = ()


def encode_request(request: Request, runner_key: bytes) -> bytes:
    """The file of `request`, sealed to the runner's public key."""
    plain = {
        "at": request.at.isoformat(),
        "ip": request.ip,
        "reply_to": request.reply_to.hex(),
        "token": request.token,
        "body": request.body,
    }
    sealed = seal(json.dumps(plain).encode(), runner_key, _info(_VERSION, request.kind, request.id))
    return f"{_VERSION} {request.kind} {request.id}\n".encode() + sealed


def decode_request(data: bytes, key: X25519PrivateKey) -> Request:
    """The inverse, by the runner. Raises RequestRefused, saying why, for anything but a whole, true request."""
    head = _HEAD.match(data)
    if head is None:
        raise RequestRefused("it has no request header")
    kind, number = head.group(1).decode(), head.group(2).decode()
    plain = _load(unseal(data[head.end() :], key, _info(_VERSION, kind, number)))
    at, ip, reply_to = plain.get("at"), plain.get("ip"), plain.get("reply_to")
    token, body = plain.get("token"), plain.get("body")
    if not isinstance(at, str) or not isinstance(ip, str) or not isinstance(reply_to, str):
        raise RequestRefused("its fields are not those of a request")
    if not isinstance(body, dict) or not (token is None or isinstance(token, str)):
        raise RequestRefused("its fields are not those of a request")
    moment, answer_key = _moment(at), _key(reply_to)
    return Request(kind=kind, id=number, at=moment, ip=ip[:64], reply_to=answer_key, token=token, body=body)


def encode_reply(reply: Reply, request: Request) -> bytes:
    """The file of `reply`, sealed to whoever asked. Raises RequestRefused when the asker's key is unusable."""
    plain = {
        "ok": reply.ok,
        "code": reply.code,
        "message": reply.message,
        "body": reply.body,
        "faults": list(reply.faults),
    }
    return seal(json.dumps(plain).encode(), request.reply_to, _info(_REPLY_VERSION, request.kind, request.id))


def decode_reply(data: bytes, key: X25519PrivateKey, kind: str, number: str) -> Reply:
    """The inverse, by the asker with its ephemeral key. Raises RequestRefused when it is not the answer to this."""
    plain = _load(unseal(data, key, _info(_REPLY_VERSION, kind, number)))
    body = plain.get("body")
    faults = plain.get("faults")
    return Reply(
        ok=plain.get("ok") is True,
        code=str(plain.get("code", "failed")),
        message=str(plain.get("message", "")),
        body=body if isinstance(body, dict) else {},
        faults=tuple(
            {str(k): str(v) for k, v in fault.items()}
            for fault in (faults if isinstance(faults, list) else [])
            if isinstance(fault, dict)
        ),
    )


def _info(version: str, kind: str, number: str) -> bytes:
    return f"{version}|{kind}|{number}".encode()


def _load(plain: bytes) -> dict[str, Any]:
    """A JSON object whose text is all encodable; a lone surrogate would blow up later, far from here."""
    try:
        value = json.loads(plain)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise RequestRefused("its content is not proper JSON") from error
    if not isinstance(value, dict):
        raise RequestRefused("its content is not a JSON object")
    return value


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise RequestRefused("its time is not a time") from error
    if moment.tzinfo is None:
        raise RequestRefused("its time has no time zone")
    return moment


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError as error:
        raise RequestRefused("its reply key is not a key") from error
    if len(key) != KEY_BYTES:
        raise RequestRefused("its reply key is not a key")
    return key
