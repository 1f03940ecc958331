import json

import pytest

from tbot_bot.domain.errors import RequestRefused
from tbot_bot.support.envelope import decode_request
from tbot_bot.support.sealing import new_private_key, public_bytes, seal

KEY = new_private_key()
GOOD = {"at": "2026-01-05T14:30:00+00:00", "ip": "::1", "reply_to": "00" * 32, "token": None, "body": {}}


def _file(plain: bytes) -> bytes:
    info = b"tbot-request-1|login|" + b"0" * 32
    return b"tbot-request-1 login " + b"0" * 32 + b"\n" + seal(plain, public_bytes(KEY), info)


def test_the_good_one_is_read() -> None:
    assert decode_request(_file(json.dumps(GOOD).encode()), KEY).kind == "login"


@pytest.mark.parametrize(
    "change",
    [
        {"at": "2026-01-05T14:30:00"},
        {"at": "yesterday"},
        {"at": 5},
        {"ip": None},
        {"reply_to": "00"},
        {"reply_to": "zz" * 32},
        {"token": 5},
        {"body": []},
        {"body": {"password": "\ud800"}},
        {"body": {"x": float("nan")}},
    ],
)
def test_a_field_of_the_wrong_kind_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(RequestRefused):
        decode_request(_file(json.dumps({**GOOD, **change}).encode()), KEY)


@pytest.mark.parametrize("plain", [b"[" * 50_000, b'{"a":' * 10_000, b"1" * 5000, b"\xff", b"", b"null"])
def test_json_made_to_hurt_is_refused(plain: bytes) -> None:
    with pytest.raises(RequestRefused):
        decode_request(_file(plain), KEY)
