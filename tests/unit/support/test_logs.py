import io
import json
import logging
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
