"""Every route × visitor × method: the whole table of who gets in, written down here and compared with what happens."""

import pytest

NOBODY, VIEWER, TRADER, ADMIN = range(4)
ROLES = {"viewer": VIEWER, "trader": TRADER, "admin": ADMIN}
FIRST_RUN = "first run"
TABLE = {
    ("GET", "/"): NOBODY,
    ("GET", "/health"): NOBODY,
    ("GET", "/login"): NOBODY,
    ("POST", "/login"): NOBODY,
    ("POST", "/login/code"): NOBODY,
    ("GET", "/register"): NOBODY,
    ("GET", "/restored"): NOBODY,
    ("POST", "/register"): FIRST_RUN,
    ("GET", "/configuration"): FIRST_RUN,
    ("POST", "/configuration"): FIRST_RUN,
    ("POST", "/configuration/check"): FIRST_RUN,
    ("GET", "/progress"): FIRST_RUN,
    ("GET", "/progress.json"): FIRST_RUN,
    ("GET", "/restore"): FIRST_RUN,
    ("POST", "/restore"): FIRST_RUN,
    ("POST", "/restore/preview"): FIRST_RUN,
    ("POST", "/logout"): VIEWER,
    ("GET", "/live.json"): VIEWER,
    ("GET", "/csrf.json"): VIEWER,
    ("POST", "/touch"): VIEWER,
    ("GET", "/universe"): VIEWER,
    ("GET", "/backtests"): VIEWER,
    ("POST", "/stop"): VIEWER,
    ("GET", "/kill"): VIEWER,
    ("POST", "/kill"): VIEWER,
    ("GET", "/account"): VIEWER,
    ("POST", "/account"): VIEWER,
    ("POST", "/account/totp"): VIEWER,
    ("POST", "/account/totp/confirm"): VIEWER,
    ("POST", "/account/totp/remove"): VIEWER,
    ("POST", "/account/logins/end"): VIEWER,
    ("POST", "/start"): TRADER,
    ("POST", "/confirm"): TRADER,
    ("POST", "/universe/build"): TRADER,
    ("POST", "/backtests"): TRADER,
    ("GET", "/users"): ADMIN,
    ("POST", "/users/add"): ADMIN,
    ("POST", "/users/change"): ADMIN,
    ("POST", "/users/remove"): ADMIN,
    ("GET", "/keys"): ADMIN,
    ("POST", "/keys/rotate"): ADMIN,
    ("POST", "/keys/compromised"): ADMIN,
    ("POST", "/keys/destroy"): ADMIN,
    ("POST", "/keys/export"): ADMIN,
    ("GET", "/recovery"): ADMIN,
    ("POST", "/recovery"): ADMIN,
    ("POST", "/recovery/confirm"): ADMIN,
    ("GET", "/backups"): ADMIN,
    ("POST", "/backups/now"): ADMIN,
    ("POST", "/backups/drill"): ADMIN,
    ("GET", "/audit"): ADMIN,
    ("POST", "/audit/verify"): ADMIN,
}
READING = {"account", "users", "keys", "audit_search"}


def routes(site):
    """(method, path) of all there are."""
    return {
        (method, rule.rule)
        for rule in site.app.url_map.iter_rules()
        for method in rule.methods & {"GET", "POST", "PUT", "PATCH", "DELETE"}
        if rule.endpoint != "static"
    }


def needed(entry, users):
    """The power that a route takes: those of the first run take none while nobody is registered, then an admin."""
    if entry == FIRST_RUN:
        return ADMIN if users else NOBODY
    return entry


def test_the_table_names_every_route_and_nothing_else(site):
    assert routes(site) == set(TABLE)


@pytest.mark.parametrize("users", [0, 1])
@pytest.mark.parametrize("role", [None, "viewer", "trader", "admin"])
def test_each_visitor_gets_exactly_as_far_as_the_table_says(site, role, users):
    """With a good form token throughout, so that nothing but the role decides."""
    for (method, path), entry in TABLE.items():
        site.provisioned(users=users)
        site.browser.delete_cookie("tbot_session")
        token = site.token("/login" if users else "/register")
        if role is not None:
            site.log_in(role)
        site.runner.asked.clear()
        held = NOBODY if role is None else ROLES[role]
        answer = site.browser.open(path, method=method, data={"csrf_token": token} if method == "POST" else None)
        where = f"{method} {path} as {role or 'nobody'}, {users} users: {answer.status_code}"
        if held >= needed(entry, users):
            assert answer.status_code not in {400, 401, 403}, where
        elif role is not None:
            assert answer.status_code == 403, where
        elif method == "GET" and not path.endswith(".json"):
            assert answer.location.startswith("/login?next="), where
        else:
            assert answer.status_code == 401, where
        if held < needed(entry, users):
            assert not site.runner.asked, where
            assert not site.paths.kill_flag.exists(), where
        for flag in (site.paths.kill_flag, site.paths.stop_flag):
            flag.unlink(missing_ok=True)


@pytest.mark.parametrize("role", ["viewer", "trader", "admin"])
def test_without_its_form_token_no_post_of_anyone_passes(site, role):
    site.provisioned()
    site.log_in(role)
    for method, path in TABLE:
        if method == "POST":
            assert site.browser.post(path, data={"id": "others"}).status_code in {400, 403}, path
    assert {kind for kind, _, _ in site.runner.asked} <= READING
    assert not site.paths.kill_flag.exists()


@pytest.mark.parametrize(("role", "shown"), [("viewer", False), ("trader", False), ("admin", True)])
def test_the_rail_offers_only_what_the_role_may_open(site, role, shown):
    site.provisioned()
    site.log_in(role)
    page = site.browser.get("/").text
    for path in ("/configuration", "/users", "/keys", "/backups", "/audit", "/recovery"):
        assert (f'"{path}"' in page) is shown, path
    assert 'href="/account"' in page
