"""Keys: rotating the marked ones, what a theft takes, and when old generations go."""

import pytest

PROOF = {"step_up_password": "my words"}
PROVEN = {"step_up": {"password": "my words", "code": ""}}
BODY = {
    "generation": 7,
    "created_at": "2026-03-01T10:00:00+00:00",
    "external": False,
    "categories": [
        {"category": "login", "made_at": "2026-03-01T10:00:00+00:00", "fingerprint": "aa11", "secrets": True},
        {"category": "broker", "made_at": "2026-03-05T10:00:00+00:00", "fingerprint": "bb22", "secrets": True},
    ],
    "old": [{"number": 6, "replaced_at": "2026-03-10T12:00:00+00:00", "destroyed_at": "2026-03-11T12:00:00+00:00"}],
    "grace_hours": 24,
}


@pytest.fixture
def admin(site):
    site.provisioned()
    site.log_in()
    site.runner.answer("keys", **BODY)
    return site


def test_each_key_shows_its_age_and_fingerprint_and_old_generations_their_end(admin):
    page = admin.browser.get("/keys").text
    assert "bb22" in page
    assert "9 days ago" in page
    assert "destroyed in 22 h" in page
    assert "11 Mar 2026, 12:00 UTC" in page


def test_the_marked_keys_are_rotated_with_the_proof(admin):
    token = admin.token("/keys")
    form = {"csrf_token": token, "category": ["login", "broker"], **PROOF}
    answer = admin.browser.post("/keys/rotate", data=form)
    assert admin.runner.last("rotate") == {"categories": ["login", "broker"], **PROVEN}
    assert answer.location == "/keys?done=rotated"


def test_nothing_marked_asks_nothing(admin):
    answer = admin.post("/keys/rotate", "/keys", **PROOF)
    assert answer.status_code == 422
    assert "Mark at least one key." in answer.text
    assert "rotate" not in {kind for kind, _, _ in admin.runner.asked}


def test_a_refused_rotation_keeps_the_marks(admin):
    admin.runner.refuse("rotate", "step_up", "no", body={"totp": False}, step_up_password="The password is wrong.")
    page = admin.post("/keys/rotate", "/keys", category="broker", step_up_password="x").text
    assert 'value="broker" id="mark-broker" checked' in page
    assert 'value="login" id="mark-login">' in page
    assert "The password is wrong." in page


def test_after_a_theft_the_page_says_what_is_not_revoked_and_links_each_field_to_fill_again(admin):
    note = "A broker key that leaked still works at the broker."
    again = [{"key": "BROKER_API_KEY", "label": "API key"}]
    admin.runner.answer("compromised", generation=8, ask_again=again, notes=[note])
    page = admin.post("/keys/compromised", "/keys", category="broker", what="compromised", **PROOF).text
    assert admin.runner.last("compromised") == {"category": "broker", "what": "compromised", **PROVEN}
    assert note in page
    assert 'href="/configuration#BROKER_API_KEY">API key</a>' in page


@pytest.mark.parametrize("what", ["", "stolen"])
def test_what_happened_must_be_said(admin, what):
    answer = admin.post("/keys/compromised", "/keys", category="broker", what=what, **PROOF)
    assert answer.status_code == 422
    assert "compromised" not in {kind for kind, _, _ in admin.runner.asked}


def test_destroying_old_generations_tells_which(admin):
    admin.runner.answer("destroy_old", destroyed=[5, 6])
    page = admin.post("/keys/destroy", "/keys", **PROOF).text
    assert "Destroyed: generation 5, 6." in page


def test_keys_from_outside_are_said_to_be_replaced_there(admin):
    admin.runner.answer("keys", **{**BODY, "external": True})
    assert "TBOT_KEYS_DIR" in admin.browser.get("/keys").text


def test_keys_are_exported_to_the_public_key_typed_and_the_page_names_the_file(admin):
    admin.runner.answer("export_keys", file="tbot_bot/storage/export/keys-00000007.age")
    page = admin.post("/keys/export", "/keys", recipient=" age1abc ", **PROOF).text
    assert admin.runner.last("export_keys") == {"recipient": "age1abc", **PROVEN}
    assert "keys-00000007.age" in page


def test_a_recipient_that_is_no_public_key_is_marked_and_kept(admin):
    admin.runner.refuse("export_keys", "invalid", "no", recipient="must be an age public key")
    answer = admin.post("/keys/export", "/keys", recipient="ssh-rsa", **PROOF)
    assert answer.status_code == 422
    assert "must be an age public key" in answer.text
    assert 'value="ssh-rsa"' in answer.text
