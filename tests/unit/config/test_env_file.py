"""KEY=value text, as the seeds write it."""

import pytest

from tbot_bot.config.env_file import parse_env_text


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('BROKER_NAME="ALPACA"  ', "ALPACA"),
        ("BROKER_NAME='ALPACA' # why", "ALPACA"),
        ("BROKER_NAME= ALPACA               ", "ALPACA"),
        ("BROKER_NAME = ALPACA\t# here", "ALPACA"),
        (" BROKER_NAME=ALPACA\r", "ALPACA\r"),
        ("BROKER_NAME=ALPACA#1", "ALPACA#1"),
        ("BROKER_NAME=", ""),
        ("BROKER_NAME=   # Internal identifier", ""),
        ('BROKER_NAME=""', ""),
        ("BROKER_NAME=a=b", "a=b"),
        ('BROKER_NAME="a # b"', "a # b"),
    ],
)
def test_a_line_gives_its_value(line: str, value: str) -> None:
    read = parse_env_text(line)

    assert read.faults == ()
    assert dict(read.values) == {"BROKER_NAME": value}


def test_comments_blank_lines_windows_line_ends_and_a_byte_order_mark_are_skipped() -> None:
    read = parse_env_text("\ufeff# first\r\n\r\n # indented\r\nMAX_TRADES=4\r\n")

    assert read.faults == ()
    assert dict(read.values) == {"MAX_TRADES": "4"}


def test_a_key_may_come_twice_only_with_the_same_value() -> None:
    assert parse_env_text("MAX_TRADES=4\nMAX_TRADES=4 # again").faults == ()
    (fault,) = parse_env_text("MAX_TRADES=4\nMAX_TRADES=5").faults
    assert "line 2" in fault.message


def test_an_alias_counts_as_the_same_key() -> None:
    (fault,) = parse_env_text(
        "ENABLE_FUNNHUB_FUNDAMENTALS_FILTER=true\nENABLE_FINNHUB_FUNDAMENTALS_FILTER=false"
    ).faults
    assert fault.key == "ENABLE_FUNNHUB_FUNDAMENTALS_FILTER"


def test_an_unknown_key_is_refused_with_the_nearest_name() -> None:
    (fault,) = parse_env_text("MAX_TRADS=4").faults
    assert fault.nearest == "MAX_TRADES"


@pytest.mark.parametrize("line", ["hunter2", "=hunter2", 'BROKER_API_KEY="hunter2', "BROKER_API_KEY='a' hunter2"])
def test_a_line_that_cannot_be_read_is_a_fault_that_does_not_show_it(line: str) -> None:
    read = parse_env_text(line)

    assert len(read.faults) == 1
    assert "hunter2" not in repr(read)


def test_two_secrets_that_differ_are_not_shown() -> None:
    read = parse_env_text("BROKER_API_KEY=hunter2\nBROKER_API_KEY=hunter3")

    assert len(read.faults) == 1
    assert "hunter" not in repr(read)


def test_a_huge_file_is_refused_unread() -> None:
    read = parse_env_text("MAX_TRADES=4\n" * 100_000)

    assert len(read.faults) == 1
    assert read.values == {}
