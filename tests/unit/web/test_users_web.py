"""Users: only what differs is sent, each change carries the admin's proof, faults are beside their fields."""

import pytest

AT = "2026-03-10T13:00:00+00:00"
COMMON = {"totp": True, "created_at": AT, "disabled": False}
EVERYONE = [
    {**COMMON, "username": "alex", "email": "a@desk.example", "role": "admin", "last_login": AT, "locked": False},
    {**COMMON, "username": "robin", "email": "r@desk.example", "role": "viewer", "last_login": None, "locked": True},
]
PROOF = {"step_up_password": "my words", "step_up_code": "123456"}
PROVEN = {"step_up": {"password": "my words", "code": "123456"}}
UNCHANGED = {"username": "robin", "role": "viewer", "role_before": "viewer", "disabled_before": "false"}


@pytest.fixture
def admin(site):
    site.provisioned()
    site.log_in()
    site.runner.answer("users", users=EVERYONE, default_role="trader", rbac=True)
    return site


def test_every_user_is_listed_with_role_state_and_last_login(admin):
    page = admin.browser.get("/users").text
    assert "robin" in page
    assert "locked out" in page
    assert "never" in page
    assert '<option value="trader" selected>' in page


def test_adding_sends_what_was_typed_with_the_proof(admin):
    values = {"username": "sam", "email": "", "role": "viewer", "new_password": "w" * 15}
    answer = admin.post("/users/add", "/users", **values, **PROOF)
    assert admin.runner.last("user_add") == {**values, **PROVEN}
    assert answer.location == "/users?done=added"


def test_a_refused_addition_keeps_everything_but_the_passwords(admin):
    admin.runner.refuse("user_add", "invalid", "Correct what is marked.", username="this name is taken")
    values = {"username": "sam", "email": "s@desk.example", "role": "admin", "new_password": "planted-word"}
    answer = admin.post("/users/add", "/users", **values, step_up_password="planted-proof")
    assert answer.status_code == 422
    assert '<span class="fault">this name is taken</span>' in answer.text
    assert 'value="s@desk.example"' in answer.text
    assert '<option value="admin" selected>' in answer.text
    assert "planted-" not in answer.text


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ({}, {}),
        ({"role": "admin"}, {"role": "admin"}),
        ({"new_password": "w" * 15}, {"new_password": "w" * 15}),
        ({"remove_totp": "true"}, {"remove_totp": True}),
        ({"disabled": "true"}, {"disabled": True}),
        ({"disabled_before": "true"}, {"disabled": False}),
    ],
)
def test_a_change_sends_only_what_differs(admin, typed, sent):
    admin.post("/users/change", "/users?change=robin", **{**UNCHANGED, **typed}, **PROOF)
    assert admin.runner.last("user_change") == {"username": "robin", **sent, **PROVEN}


def test_the_last_admin_is_kept_in_the_runners_words(admin):
    admin.runner.refuse("user_remove", "not_allowed", "This is the last admin who can log in.")
    answer = admin.post("/users/remove", "/users?change=alex", username="alex", **PROOF)
    assert answer.status_code == 403
    assert "This is the last admin who can log in." in answer.text
    assert "Remove alex" in answer.text


def test_roles_switched_off_are_explained_and_nobody_can_be_added(admin):
    admin.runner.answer("users", users=EVERYONE, default_role="viewer", rbac=False)
    page = admin.browser.get("/users").text
    assert "Roles are switched off" in page
    assert "only admins can log in" in page
    assert "/users/add" not in page


def test_names_cannot_become_markup(admin):
    admin.runner.answer("users", users=[{**EVERYONE[1], "username": "<b>x</b>"}], default_role="viewer", rbac=True)
    assert "<b>x</b>" not in admin.browser.get("/users?change=<b>x</b>").text
