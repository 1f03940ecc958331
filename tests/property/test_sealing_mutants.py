"""No changed, cut, grown or misdirected ciphertext opens; what is not a request is refused and never crashes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbot_bot.domain.errors import RequestRefused
from tbot_bot.support.envelope import Reply, Request, decode_reply, decode_request, encode_reply, encode_request
from tbot_bot.support.sealing import new_private_key, public_bytes, seal, unseal

KEY = new_private_key()
ASKER = new_private_key()
SEALED = seal(b"a secret", public_bytes(KEY), b"purpose")
REQUEST = Request(
    kind="login",
    id="0" * 32,
    at=datetime(2026, 1, 5, tzinfo=UTC),
    ip="::1",
    reply_to=public_bytes(ASKER),
    token="t",
    body={"username": "ada", "password": "ünïcode"},
)
FILE = encode_request(REQUEST, public_bytes(KEY))

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(place=st.integers(0, len(SEALED) - 1), flip=st.integers(1, 255))
def test_one_changed_byte_closes_it(place: int, flip: int) -> None:
    changed = SEALED[:place] + bytes([SEALED[place] ^ flip]) + SEALED[place + 1 :]
    with pytest.raises(RequestRefused):
        unseal(changed, KEY, b"purpose")


@given(length=st.integers(0, len(SEALED) - 1), tail=st.binary(min_size=1, max_size=20))
def test_cut_or_grown_it_stays_closed(length: int, tail: bytes) -> None:
    for wrong in (SEALED[:length], SEALED + tail):
        with pytest.raises(RequestRefused):
            unseal(wrong, KEY, b"purpose")


@given(info=st.binary(max_size=30).filter(lambda info: info != b"purpose"))
def test_it_opens_for_its_purpose_only(info: bytes) -> None:
    with pytest.raises(RequestRefused):
        unseal(SEALED, KEY, info)


@given(data=st.binary(max_size=400))
def test_arbitrary_bytes_are_no_request(data: bytes) -> None:
    for head in (b"", b"tbot-request-1 login " + b"0" * 32 + b"\n"):
        with pytest.raises(RequestRefused):
            decode_request(head + data, KEY)


@given(plain=st.binary(max_size=300) | JSON.map(lambda value: repr(value).encode()))
def test_properly_sealed_nonsense_is_refused(plain: bytes) -> None:
    info = b"tbot-request-1|login|" + b"0" * 32
    data = b"tbot-request-1 login " + b"0" * 32 + b"\n" + seal(plain, public_bytes(KEY), info)
    with pytest.raises(RequestRefused):
        decode_request(data, KEY)


@given(place=st.integers(0, len(FILE) - 1), flip=st.integers(1, 255))
def test_no_byte_of_a_request_can_be_changed(place: int, flip: int) -> None:
    changed = FILE[:place] + bytes([FILE[place] ^ flip]) + FILE[place + 1 :]
    with pytest.raises(RequestRefused):
        decode_request(changed, KEY)


@given(body=st.dictionaries(TEXT, JSON, max_size=5), token=st.none() | TEXT)
def test_a_request_arrives_as_it_was_made(body: dict[str, object], token: str | None) -> None:
    sent = Request("start", "a" * 32, REQUEST.at, "::1", REQUEST.reply_to, token, body)

    assert decode_request(encode_request(sent, public_bytes(KEY)), KEY) == sent


@given(body=st.dictionaries(TEXT, JSON, max_size=5), message=TEXT)
def test_a_reply_reaches_only_who_asked(body: dict[str, object], message: str) -> None:
    reply = Reply(ok=True, code="ok", message=message, body=body, faults=({"key": "A", "message": "b"},))
    data = encode_reply(reply, REQUEST)

    assert decode_reply(data, ASKER, "login", "0" * 32) == reply
    for key, kind, number in ((KEY, "login", "0" * 32), (ASKER, "start", "0" * 32), (ASKER, "login", "1" * 32)):
        with pytest.raises(RequestRefused):
            decode_reply(data, key, kind, number)
