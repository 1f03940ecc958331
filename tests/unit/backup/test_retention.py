"""Which backups stay."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tbot_bot.backup.retention import KeepRule, kept_as

TIMES = st.lists(
    st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)), min_size=1, max_size=60
)
RULES = st.builds(KeepRule, st.integers(1, 10), st.integers(0, 8), st.integers(0, 14))
NIGHT = datetime(2026, 11, 25, 7, 30, tzinfo=UTC)


@given(TIMES, RULES)
def test_the_newest_always_stays(times: list[datetime], rule: KeepRule) -> None:
    assert "daily" in kept_as(times, rule)[max(times)]


@given(TIMES, RULES)
def test_no_more_stay_than_the_rule_says_and_each_is_the_newest_of_its_period(
    times: list[datetime], rule: KeepRule
) -> None:
    kept = kept_as(times, rule)
    for word, most, period in (
        ("daily", rule.daily, lambda at: at.date()),
        ("weekly", rule.weekly, lambda at: at.isocalendar()[:2]),
        ("monthly", rule.monthly, lambda at: (at.year, at.month)),
    ):
        chosen = [at for at, words in kept.items() if word in words]
        assert len(chosen) == min(most, len({period(at) for at in times}))
        assert all(at == max(other for other in times if period(other) == period(at)) for at in chosen)


@given(TIMES, RULES)
def test_what_stays_would_stay_again(times: list[datetime], rule: KeepRule) -> None:
    stay = [at for at, words in kept_as(times, rule).items() if words]
    assert [at for at, words in kept_as(stay, rule).items() if words] == stay


def test_a_year_of_nights_thins_to_days_weeks_and_months() -> None:
    kept = kept_as([NIGHT - timedelta(days=n) for n in range(365)], KeepRule(7, 5, 12))
    stay = sorted(at for at, words in kept.items() if words)
    assert len(stay) == 7 + 4 + 10
    assert stay[-7:] == [NIGHT - timedelta(days=n) for n in range(6, -1, -1)]
    assert kept[NIGHT] == ("daily", "weekly", "monthly")
