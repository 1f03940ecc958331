"""Keys through the real runner: who may, what is answered, and that people and processes go on meanwhile."""

import json
import threading
from typing import Any

import pytest

from tbot_bot.config.keys_desk import _IN_BACKUPS, _LAST_WORDS
from tbot_bot.config.security_bot import open_secrets
from tbot_bot.domain.session import BotState
from tbot_bot.interface.sessions import Sessions
from tbot_bot.interface.state import current_state
from tbot_bot.reporting.audit_verify import verify
from tbot_bot.support.encrypt_secrets import CATEGORIES
from tbot_bot.support.state_file import StateFile

PASSWORD = "a battery of horses"
STEP_UP = {"step_up": {"password": PASSWORD}}


def _events(rig: Any, name: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in rig.audit_text().splitlines()]
    return [row["detail"] for row in rows if row["event"] == name]


def test_the_overview_names_every_key_and_no_secret(ready: Any) -> None:
    body = ready.ask("keys", token=ready.register()).body

    assert body["generation"] == 1
    assert body["external"] is False
    assert body["grace_hours"] == 24
    assert body["old"] == []
    assert [row["category"] for row in body["categories"]] == list(CATEGORIES)
    assert {row["category"] for row in body["categories"] if row["secrets"]} == {"broker"}
    assert len({row["fingerprint"] for row in body["categories"]}) == len(CATEGORIES)


def test_a_rotation_is_done_when_it_answers_and_logins_go_on(ready: Any) -> None:
    token = ready.register()
    before = open_secrets(ready.paths)
    categories = [name for name in CATEGORIES if name != "session"]

    reply = ready.ask("rotate", {"categories": categories, **STEP_UP}, token)

    assert (reply.code, reply.body) == ("ok", {"generation": 3})
    assert open_secrets(ready.paths) == before
    assert ready.ask("login", {"username": "ada", "password": PASSWORD}).ok
    body = ready.ask("keys", token=token).body
    assert body["generation"] == 3
    assert [row["number"] for row in body["old"]] == [1]
    assert _events(ready, "keys_rotated")[0]["categories"] == categories


@pytest.mark.parametrize("named", [["session"], ["all"]])
def test_new_session_keys_end_every_login(ready: Any, named: list[str]) -> None:
    token = ready.register()

    assert ready.ask("rotate", {"categories": named, **STEP_UP}, token).ok

    assert ready.ask("keys", token=token).code == "expired"
    assert Sessions(ready.paths, ready.clock).lookup(token) is None
    assert list(ready.paths.sessions.iterdir()) == []
    again = ready.ask("login", {"username": "ada", "password": PASSWORD})
    assert ready.ask("keys", token=again.body["token"]).ok


def test_keys_rotate_while_the_bot_trades(ready: Any) -> None:
    token = ready.register()
    StateFile(ready.paths, ready.clock).move(BotState.IDLE, BotState.ANALYZING, "test", "trading")

    assert ready.ask("rotate", {"categories": ["broker"], **STEP_UP}, token).ok
    assert current_state(ready.paths) is BotState.ANALYZING


@pytest.mark.parametrize("named", [None, [], "all", [1], ["nonsense"], ["broker", "nonsense"]])
def test_a_rotation_of_nothing_or_nonsense_is_refused(ready: Any, named: object) -> None:
    reply = ready.ask("rotate", {"categories": named, **STEP_UP}, ready.register())

    assert (reply.code, reply.faults[0]["key"]) == ("invalid", "categories")
    assert ready.paths.current_generation.readlink().name == "00000001"


@pytest.mark.parametrize("kind", ["rotate", "compromised", "destroy_old"])
def test_without_a_fresh_password_nothing_changes(ready: Any, kind: str) -> None:
    token = ready.register()
    body = {"categories": ["all"], "category": "broker", "what": "lost"}

    assert ready.ask(kind, body, token).code == "step_up"
    assert ready.ask(kind, {**body, "step_up": {"password": "not the right one"}}, token).code == "step_up"
    assert ready.ask(kind, {**body, **STEP_UP}).code == "expired"
    assert ready.paths.current_generation.readlink().name == "00000001"


def test_a_compromised_secret_is_asked_again_and_nothing_old_is_left(ready: Any) -> None:
    values = {"ALERT_URL_EMAIL": "mailtos://u:CANARY@example.com?to=me", "SCREENER_API_KEY": "CANARYKEY"}
    token = ready.register()
    assert ready.ask("provision", {"values": values, **STEP_UP}, token).ok
    ready.until(lambda: ready.progress()["state"] == "done")

    reply = ready.ask("compromised", {"category": "alert_channels", "what": "compromised", **STEP_UP}, token)

    assert reply.ok, reply
    assert [row["key"] for row in reply.body["ask_again"]] == ["ALERT_URL_EMAIL"]
    assert "each service" in reply.body["notes"][0]
    assert open_secrets(ready.paths).alerts.alert_url_email == ""
    assert open_secrets(ready.paths).screener.screener_api_key == "CANARYKEY"
    assert [path.name for path in ready.paths.generations.iterdir()] == [f"{reply.body['generation']:08d}"]
    assert _events(ready, "key_compromised") == [{"category": "alert_channels", "ip": "192.0.2.7"}]
    assert "CANARY" not in ready.audit_text()


def test_the_paper_venues_own_credentials_are_made_anew(ready: Any) -> None:
    before = open_secrets(ready.paths).broker

    reply = ready.ask("compromised", {"category": "broker", "what": "compromised", **STEP_UP}, ready.register())

    after = open_secrets(ready.paths).broker
    assert reply.body["ask_again"] == []
    assert after.broker_api_key
    assert after.broker_api_key != before.broker_api_key
    assert after.broker_secret_key != before.broker_secret_key


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("what", ["lost", "compromised"])
def test_every_category_can_be_lost_or_compromised_and_the_bot_stays_usable(
    ready: Any, category: str, what: str
) -> None:
    token = ready.register()

    reply = ready.ask("compromised", {"category": category, "what": what, **STEP_UP}, token)

    assert reply.ok, reply
    assert reply.body["generation"] == 3
    assert reply.body["notes"] == [_LAST_WORDS[category], *([_IN_BACKUPS] if what == "compromised" else [])]
    assert open_secrets(ready.paths).bot_id
    login = ready.ask("login", {"username": "ada", "password": PASSWORD})
    assert ready.ask("keys", token=login.body["token"]).body["old"] == []
    ready.stop()
    assert verify(ready.paths).problem is None


@pytest.mark.parametrize("category", [name for name in CATEGORIES if name not in {"login", "session"}])
def test_a_lost_key_is_put_right_on_the_page(ready: Any, category: str) -> None:
    token = ready.register()
    (ready.paths.keys / f"{category}.key").unlink()

    reply = ready.ask("compromised", {"category": category, "what": "lost", **STEP_UP}, token)

    assert reply.ok, reply
    assert open_secrets(ready.paths).bot_id
    asked = {row["key"] for row in reply.body["ask_again"]}
    assert asked >= {"broker": {"BROKER_API_KEY", "BROKER_SECRET_KEY"}, "bot_identity": {"BOT_ID"}}.get(category, set())
    if category == "env_bot":
        assert open_secrets(ready.paths).bot.general.disable_all_trades
        assert "DISABLE_ALL_TRADES" in reply.body["notes"][0]


def test_nonsense_about_a_compromise_says_which_field(ready: Any) -> None:
    reply = ready.ask("compromised", {"category": "x", "what": "y", **STEP_UP}, ready.register())

    assert reply.code == "invalid"
    assert [fault["key"] for fault in reply.faults] == ["category", "what"]


def test_old_generations_are_destroyed_when_asked(ready: Any) -> None:
    token = ready.register()
    assert ready.ask("rotate", {"categories": ["broker"], **STEP_UP}, token).ok

    assert ready.ask("destroy_old", STEP_UP, token).body == {"destroyed": [1]}
    assert ready.ask("destroy_old", STEP_UP, token).body == {"destroyed": []}
    assert ready.ask("keys", token=token).body["old"] == []


def test_logins_during_rotations_all_succeed(ready: Any) -> None:
    token = ready.register()
    replies = []

    def log_in() -> None:
        replies.extend(ready.ask("login", {"username": "ada", "password": PASSWORD}) for _ in range(20))

    people = [threading.Thread(target=log_in) for _ in range(2)]
    for person in people:
        person.start()
    rotations = [ready.ask("rotate", {"categories": ["login", "broker"], **STEP_UP}, token) for _ in range(10)]
    for person in people:
        person.join()

    assert all(reply.ok for reply in rotations)
    assert [reply for reply in replies if not reply.ok] == []
    assert len(replies) == 40
