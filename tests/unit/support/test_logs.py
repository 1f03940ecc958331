import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from tbot_bot.support import logs

CANARY = "s3cr3t-c4n4ry-9f2"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    logs.add_secret(CANARY)
    logs.configure("unit", "verbose", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def last(out: io.StringIO) -> dict[str, object]:
    row = json.loads(out.getvalue().splitlines()[-1])
    assert isinstance(row, dict)
    return row


def test_a_line_is_one_json_object_with_its_fields(out: io.StringIO) -> None:
    logs.get_logger("x").info("hello", extra={"fields": {"symbol": "SPY", "price": 1.5}})
    row = last(out)
    assert (row["unit"], row["level"], row["event"], row["symbol"], row["price"]) == (
        "unit",
        "info",
        "hello",
        "SPY",
        1.5,
    )


def test_a_newline_cannot_forge_a_second_line(out: io.StringIO) -> None:
    logs.get_logger("x").info('bad\n{"event": "forged"}')
    assert len(out.getvalue().splitlines()) == 1


@pytest.mark.parametrize("text", [CANARY, f"url?key={CANARY}&x=1", f"a{CANARY}b"])
def test_a_known_secret_never_leaves(out: io.StringIO, text: str) -> None:
    logs.get_logger("x").warning(text, extra={"fields": {"nested": {"list": [text]}}})
    assert CANARY not in out.getvalue()


@pytest.mark.parametrize("name", ["password", "BROKER_SECRET_KEY", "api_key", "session_token", "Authorization"])
def test_a_field_with_a_secrets_name_is_hidden_whatever_it_holds(out: io.StringIO, name: str) -> None:
    logs.get_logger("x").info("x", extra={"fields": {name: "value-nobody-registered"}})
    assert "value-nobody-registered" not in out.getvalue()


def test_a_traceback_is_redacted_too(out: io.StringIO) -> None:
    try:
        int(f"boom {CANARY}")
    except ValueError:
        logs.get_logger("x").exception("failed")
    assert CANARY not in out.getvalue()
    assert "ValueError" in str(last(out)["error"])


def test_the_tail_holds_what_was_logged(out: io.StringIO) -> None:
    tail = logs.configure("unit", "info", out)
    logs.get_logger("x").info("hello", extra={"fields": {"a": 1}})
    assert tail.lines()[-1]["event"] == "hello"
    assert "a=1" in tail.lines()[-1]["text"]


# Put together here, so that no scan of the repository takes them for real ones.
LOOKS = [
    "AGE-SECRET-" + "KEY-1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQQPZRY9X8GF2TVDW0S3JN54KHC",
    "age-secret-key-1qqpzry9x8gf2tvdw0s3jn54khce6mua7lqqpzry9x8gf2tvdw0s3jn54khc",
    "AGE-SECRET-KEY-1 QQPZRY 9X8GF2 TVDW0S 3JN54K HCE6MU A7LQQP ZRY9X8",
    "zW0w4bX2bVYlZC8n1l9" + "wV3m0Zk5yQ1h6cG9uX2RlbW8=",
    "gAAAAABnV2x5aXNvbmx5YW5leGFtcGxlb2ZhdG9rZW4tMTIzNDU2Nzg5MA==",
    "nQ3x9_Yb-4cT7uKzWm2eRf8sVj1pLhD6gAoBiXwE5Zk",
    "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
    "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n-----END OPENSSH PRIVATE KEY-----",
]


@pytest.mark.parametrize("secret", LOOKS)
@pytest.mark.parametrize("around", ["{}", "failed with {}", "x='{}'", '{{"a": "{}"}}', "https://a.example/?q={}"])
def test_what_looks_like_a_secret_is_hidden_though_nobody_registered_it(
    out: io.StringIO, secret: str, around: str
) -> None:
    logs.get_logger("x").warning("%s", around.format(secret), extra={"fields": {"why": around.format(secret)}})
    written = out.getvalue()
    for piece in secret.split():
        assert piece[:12] not in written.replace("AGE-SECRET-KEY", "")


@pytest.mark.parametrize(
    "text",
    [
        "https://ada:hunter2hunter2@api.example/v2?x=1",
        "postgres://:hunter2hunter2@db/x",
        "GET https://api.example/q?token=hunter2hunter2&symbol=SPY",
        "GET /q?symbol=SPY&access_key=hunter2hunter2",
        "Authorization: Bearer hunter2hunter2",
        "headers: Basic hunter2hunter2",
        "Cookie: hunter2hunter2",
        "{'passphrase': 'hunter2hunter2'}",
    ],
)
def test_credentials_in_addresses_and_headers_are_hidden(out: io.StringIO, text: str) -> None:
    try:
        {}[text]
    except KeyError:
        logs.get_logger("x").exception("the request failed: %s", text)
    assert "hunter2" not in out.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "GET https://api.example/v2/stocks/SPY/bars?start=2026-01-05T14:30:00Z",
        "client order tbot-20260105-open-SPY-buy-1",
        "/var/lib/tbot/tbot_bot/storage/gen/00000012/secrets/broker_credentials.json.enc",
        "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    ],
)
def test_what_only_resembles_a_secret_stays_readable(out: io.StringIO, text: str) -> None:
    logs.get_logger("x").info(text)
    assert last(out)["event"] == text


@pytest.mark.parametrize(
    "ending", ["\n", "\r\n", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1b[2J", "\udc80"], ids=ascii
)
def test_no_character_begins_a_second_line(out: io.StringIO, ending: str) -> None:
    # pytest's own handlers would keep half a surrogate pair for the report, which no worker can send.
    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if getattr(handler, "stream", None) is out]
    logs.get_logger("x").info("%s", f'bad{ending}{{"event": "forged"}}', extra={"fields": {"k": f"a{ending}b"}})
    assert len(out.getvalue().splitlines()) == 1
    assert out.getvalue().isascii()


def test_many_threads_write_whole_redacted_lines(out: io.StringIO) -> None:
    def write(number: int) -> None:
        for each in range(50):
            logs.add_secret(f"made-in-thread-{number}-{each}")
            logs.get_logger("x").info("got made-in-thread-%d-%d and %s", number, each, CANARY)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(rows) == 400
    assert all(row["event"] == "got [redacted] and [redacted]" for row in rows)


def test_a_tree_keeps_its_shape_and_under_a_secrets_name_only_keyed_fingerprints() -> None:
    tree = {
        "BROKER_API_KEY": ["", "#0a1b2c3d", "plain", "#0a1b2c3", "#0A1B2C3D", "#0a1b2c3d and more"],
        "MAX_TRADES": ["4", "2"],
        "password": "hunter22",
        "rows": [{"token": 5, "why": "password=hunter22"}],
    }

    assert logs.redact_tree(tree) == {
        "BROKER_API_KEY": ["", "#0a1b2c3d", *["[redacted]"] * 4],
        "MAX_TRADES": ["4", "2"],
        "password": "[redacted]",
        "rows": [{"token": 5, "why": "password=[redacted]"}],
    }
