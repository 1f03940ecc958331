"""When the runner is told that someone is there: at a click, once in a while, and never by a page that polls."""

from datetime import timedelta


def touches(site) -> int:
    return sum(kind == "touch" for kind, _, _ in site.runner.told)


def test_a_click_tells_of_activity_once_a_minute(site):
    site.provisioned()
    site.log_in()
    for seconds in (0, 59, 1, 30):
        site.clock.advance(timedelta(seconds=seconds))
        site.browser.get("/account")

    assert touches(site) == 2


def test_a_polling_page_keeps_no_login_alive(site):
    site.provisioned()
    site.log_in()
    for _ in range(3):
        site.clock.advance(timedelta(minutes=5))
        site.browser.get("/live.json?names=status")

    assert touches(site) == 0


def test_an_idle_login_is_asked_to_log_in_again(site):
    site.provisioned()
    site.log_in()
    site.clock.advance(timedelta(minutes=50))

    answer = site.browser.get("/account")

    assert answer.status_code == 302
    assert "/login" in answer.headers["Location"]
    assert touches(site) == 0
