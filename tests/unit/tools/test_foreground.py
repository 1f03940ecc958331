"""What `make run` refuses before it starts anything."""

import pytest

from tools.foreground import DEFAULT_SPEED, speed_from_environment


@pytest.mark.parametrize("text", ["fast", "0", "-1", "1e3", "nan", "999999", "٥"])
def test_a_speed_that_the_venue_would_refuse_is_refused_with_words(monkeypatch, text):
    monkeypatch.setenv("TBOT_PAPER_SPEED", text)
    with pytest.raises(SystemExit, match="TBOT_PAPER_SPEED must be a number above 0"):
        speed_from_environment()


@pytest.mark.parametrize(("text", "speed"), [("", DEFAULT_SPEED), ("1", "1"), ("0.5", "0.5"), ("450", "450")])
def test_an_empty_speed_means_the_default_and_a_number_is_kept(monkeypatch, text, speed):
    monkeypatch.setenv("TBOT_PAPER_SPEED", text)
    assert speed_from_environment() == speed
