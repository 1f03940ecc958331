"""Which page the bot's state calls for."""

import pytest


def test_without_a_runner_the_page_waits_and_says_so(site):
    answer = site.browser.get("/")
    assert answer.status_code == 503
    assert "Waiting for the provisioning runner" in answer.text


def test_a_fresh_system_leads_to_the_configuration(site):
    site.fresh()
    assert site.browser.get("/").location == "/configuration"


@pytest.mark.parametrize("state", ["provisioning", "bootstrapping"])
def test_while_steps_run_the_first_visitor_sees_the_progress(site, state):
    site.fresh()
    site.state(state)
    assert site.browser.get("/").location == "/progress"


def test_a_provisioned_system_without_users_leads_to_registration(site):
    site.provisioned(users=0)
    assert site.browser.get("/").location == "/register"


def test_once_a_user_exists_a_stranger_sees_only_the_login(site):
    site.provisioned()
    assert site.browser.get("/").location == "/login"
    assert site.browser.get("/configuration").location == "/login?next=/configuration"


def test_a_stale_system_snapshot_does_not_reopen_the_first_run(site):
    site.provisioned()
    site.clock.advance(site.clock.now() - site.clock.now().replace(hour=0))
    assert site.browser.get("/configuration").location.startswith("/login")


@pytest.mark.parametrize("state", ["idle", "analyzing", "trading", "monitoring", "updating"])
def test_working_states_show_the_dashboard(site, state):
    site.provisioned(state=state)
    site.log_in()
    page = site.browser.get("/").text
    assert 'id="today-title"' in page
    assert f'data-state="{state}"' in page


@pytest.mark.parametrize(
    ("state", "heading"),
    [
        ("graceful_closing_positions", "Closing positions"),
        ("emergency_closing_positions", "Emergency: selling everything"),
        ("shutdown", "Shut down"),
        ("shutdown_triggered", "Stopped by the kill switch"),
        ("error", "Halted by an error"),
    ],
)
def test_halted_states_say_why_and_still_offer_kill_and_log(site, state, heading):
    site.provisioned(state=state)
    site.log_in()
    page = site.browser.get("/").text
    assert heading in page
    assert 'id="kill"' in page
    assert 'id="log"' in page


@pytest.mark.parametrize(("state", "offered"), [("shutdown", True), ("graceful_closing_positions", False)])
def test_start_again_is_offered_only_where_it_is_legal(site, state, offered):
    site.provisioned(state=state)
    site.log_in()
    assert ("Start again" in site.browser.get("/").text) is offered


@pytest.mark.parametrize("text", ["", "monitoring", "trading\nidle\n", "\xff"])
def test_a_missing_or_damaged_state_is_shown_as_unknown_not_as_idle(site, text):
    site.provisioned()
    site.log_in()
    site.paths.bot_state.unlink()
    if text and text != "monitoring":
        site.paths.bot_state.write_text(text, encoding="latin-1")
    assert "The state is unknown" in site.browser.get("/").text


def test_a_viewer_is_offered_stop_and_kill_but_not_start(site):
    site.provisioned(state="trading")
    site.log_in("viewer")
    page = site.browser.get("/").text
    assert 'id="stop"' in page
    assert 'id="kill"' in page
    assert 'id="start"' not in page
    assert "/configuration" not in page


@pytest.mark.parametrize(("enrolled", "shown"), [(True, "yes"), (False, "no")])
def test_with_a_live_broker_today_learns_once_whether_there_is_a_second_factor(site, enrolled, shown):
    site.provisioned()
    site.log_in()
    site.runner_says.publish("system", {"provisioned": True, "users": 1, "version": "v1", "paper": False}, 30)
    site.runner.answer("account", totp=enrolled)
    for _ in range(2):
        assert f'data-totp="{shown}"' in site.browser.get("/").text
    assert [kind for kind, _, _ in site.runner.asked] == ["account"]


@pytest.mark.parametrize(("paper", "expires"), [(True, 30), (False, -1)])
def test_for_practice_or_with_a_silent_runner_today_asks_nothing(site, paper, expires):
    site.provisioned()
    site.log_in()
    site.runner_says.publish("system", {"provisioned": True, "users": 1, "version": "v1", "paper": paper}, expires)
    assert 'data-totp="unknown"' in site.browser.get("/").text
    assert not site.runner.asked
