"""Times, ages and sizes in words; what is unknown is never a number."""

from datetime import timedelta

import pytest

from tbot_web.support.readable import UNKNOWN, moment, second, since, size, span


@pytest.mark.parametrize("text", [None, "", "soon", 7, "2026-03-10T13:00:00"])
def test_what_is_no_time_with_a_zone_is_unknown(site, text):
    with site.app.app_context():
        assert {moment(text), second(text), since(text)} == {UNKNOWN}


def test_times_are_utc_whatever_zone_they_came_in():
    assert moment("2026-03-10T09:05:00-04:00") == "10 Mar 2026, 13:05 UTC"
    assert second("2026-03-10T09:05:07-04:00") == "2026-03-10 13:05:07 UTC"


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("2026-03-10T13:59:30+00:00", "less than a minute ago"),
        ("2026-03-10T13:00:00+00:00", "1 h ago"),
        ("2026-03-09T00:00:00+00:00", "38 h ago"),
        ("2026-03-07T14:00:00+00:00", "3 days ago"),
        ("2026-03-10T14:30:00+00:00", "in 30 min"),
    ],
)
def test_ages_use_the_unit_that_suits_them(site, at, words):
    with site.app.app_context():
        assert since(at) == words


def test_a_span_is_cut_not_rounded_up():
    assert span(timedelta(minutes=59, seconds=59)) == "59 min"


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (25_300, "25 kB"),
        (1_834_221, "1.8 MB"),
        (None, UNKNOWN),
        (True, UNKNOWN),
        (-1, UNKNOWN),
    ],
)
def test_sizes_have_their_unit(count, words):
    assert size(count) == words
