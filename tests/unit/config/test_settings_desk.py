"""Saving settings through the real runner: the fresh password, the armed bot, the record, and a damaged store."""

import json
from typing import Any

import pytest

from tbot_bot.config.security_bot import open_secrets
from tbot_bot.domain.errors import ConfigInvalid, SecretUnavailable
from tbot_bot.domain.session import BotState
from tbot_bot.support.atomic_file import write_bytes
from tbot_bot.support.decrypt_secrets import with_generation
from tbot_bot.support.encrypt_secrets import wrapping
from tbot_bot.support.state_file import StateFile

PASSWORD = "a battery of horses"
STEP_UP = {"password": PASSWORD}
LIVE = {
    "BROKER_NAME": "ALPACA",
    "BROKER_API_KEY": "CANARY-API-KEY",
    "BROKER_SECRET_KEY": "CANARY-SECRET",
    "BROKER_URL": "https://api.alpaca.markets",
}


def _save(rig: Any, token: str, values: dict[str, str], step_up: object = None) -> Any:
    reply = rig.ask("provision", {"values": values, **({"step_up": step_up} if step_up else {})}, token)
    if reply.ok:
        rig.until(lambda: rig.progress()["state"] == "done")
    return reply


def _records(rig: Any, event: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in rig.audit_text().splitlines()]
    return [row["detail"] for row in rows if row["event"] == event]


def _move(rig: Any, *states: BotState) -> None:
    file = StateFile(rig.paths, rig.clock)
    for state in states:
        file.move(file.read(), state, "test", "test")


def test_what_lowers_the_risk_needs_no_password(ready: Any) -> None:
    token = ready.register()

    assert _save(ready, token, {"MAX_TRADES": "2", "WEIGHTS": "0.4,0.2", "DISABLE_ALL_TRADES": "true"}).ok
    assert open_secrets(ready.paths).bot.risk.max_trades == 2


def test_a_raised_limit_needs_the_password_and_says_which(ready: Any) -> None:
    token = ready.register()
    values = {"MAX_OPEN_POSITIONS": "9", "DAILY_LOSS_LIMIT": "0.5"}

    reply = _save(ready, token, values)

    assert reply.code == "step_up"
    assert "MAX_OPEN_POSITIONS" in reply.message
    assert {fault["key"] for fault in reply.faults} == {"step_up_password", *values}
    assert _save(ready, token, values, {"password": "not the right one"}).code == "step_up"
    assert open_secrets(ready.paths).bot.risk.max_open_positions == 5
    assert _save(ready, token, values, STEP_UP).ok
    assert open_secrets(ready.paths).bot.risk.max_open_positions == 9


def test_going_live_and_new_keys_there_need_the_password(ready: Any) -> None:
    token = ready.register()

    reply = _save(ready, token, LIVE)
    assert reply.code == "step_up"
    assert "real money" in reply.message
    assert _save(ready, token, LIVE, STEP_UP).ok
    assert open_secrets(ready.paths).broker.live

    same = {key: LIVE[key] for key in ("BROKER_NAME", "BROKER_URL")}
    assert _save(ready, token, same).ok
    assert _save(ready, token, {**same, "BROKER_API_KEY": "CANARY-OTHER"}).code == "step_up"
    assert _save(ready, token, {}).ok


def test_each_save_is_on_record_with_old_and_new_and_no_secret(ready: Any) -> None:
    token = ready.register()
    first = _records(ready, "provisioned")[0]
    assert first["changes"]["BROKER_API_KEY"][0] == ""
    assert first["changes"]["BROKER_API_KEY"][1].startswith("#")

    assert _save(ready, token, {**LIVE, "MAX_TRADES": "2", "WEIGHTS": "0.4,0.2"}, STEP_UP).ok

    (saved,) = _records(ready, "config_saved")
    assert saved["changes"]["MAX_TRADES"] == ["4", "2"]
    assert saved["changes"]["BROKER_NAME"] == ["PAPER", "ALPACA"]
    assert saved["changes"]["BROKER_API_KEY"][0] == first["changes"]["BROKER_API_KEY"][1]
    assert len(saved["changes"]["BROKER_API_KEY"][1]) == 9
    assert (saved["previous"], saved["generation"]) == (1, 2)
    assert "CANARY" not in ready.audit_text()


def test_while_armed_settings_are_saved_but_not_the_broker_or_the_name(ready: Any) -> None:
    token = ready.register()
    _move(ready, BotState.ANALYZING)

    for values in (LIVE, {"BOT_ID": "OTHER"}, {"BROKER_API_KEY": "another-key"}):
        reply = _save(ready, token, values, STEP_UP)
        assert reply.code == "busy"
        assert set(values) <= {fault["key"] for fault in reply.faults}
    reply = _save(ready, token, {"MAX_TRADES": "2", "WEIGHTS": "0.4,0.2"})
    assert reply.ok
    assert "between windows" in reply.message
    assert open_secrets(ready.paths).bot.risk.max_trades == 2


def test_while_positions_are_closed_nothing_is_saved(ready: Any) -> None:
    token = ready.register()
    _move(ready, BotState.ANALYZING, BotState.GRACEFUL_CLOSING)

    assert _save(ready, token, {}).code == "busy"


def _rewrite(rig: Any, category: str, name: str, change: Any) -> None:
    """What the store of another release, or a hand, may hold."""
    key, token = with_generation(rig.paths, lambda now: (now.keys(category), now.token(category)))
    plain = wrapping(key).decrypt(token).decode()
    (rig.paths.secrets / name).write_bytes(wrapping(key).encrypt(change(plain).encode()))


def test_a_store_without_our_newer_keys_still_loads(ready: Any) -> None:
    ours = ("KEY_GRACE_HOURS", "PRICE_COLLAR_PCT", "MAX_EXPOSURE")

    def without(text: str) -> str:
        return "\n".join(line for line in text.splitlines() if not line.startswith(ours))

    _rewrite(ready, "env_bot", ".env_bot.enc", without)
    _rewrite(ready, "env_enc", ".env.enc", without)

    loaded = open_secrets(ready.paths)
    assert loaded.env.key_grace_hours == 24
    assert loaded.bot.risk.max_exposure == 1


def test_a_configuration_that_is_not_valid_is_shown_as_it_is_and_can_be_corrected(ready: Any) -> None:
    token = ready.register()
    _rewrite(ready, "env_bot", ".env_bot.enc", lambda text: text.replace("MAX_TRADES=4", "MAX_TRADES=0"))
    with pytest.raises(ConfigInvalid):
        open_secrets(ready.paths)
    ready.ask("logout", token=token)

    login = ready.ask("login", {"username": "ada", "password": PASSWORD})
    assert login.ok
    ready.stop()
    ready.start()
    ready.until(lambda: ready.published.read("form").body["values"]["MAX_TRADES"] == "0")
    form = ready.published.read("form").body
    assert "MAX_TRADES" in form["problem"]
    values = {**form["values"], "MAX_TRADES": "2", "WEIGHTS": "0.1,0.1"}

    assert _save(ready, login.body["token"], values, STEP_UP).ok
    assert open_secrets(ready.paths).bot.risk.max_trades == 2


def test_a_damaged_secret_is_put_right_by_saving_it_again(ready: Any) -> None:
    token = ready.register()
    write_bytes(ready.paths.secrets / "broker_credentials.json.enc", b"damaged")
    with pytest.raises(SecretUnavailable, match="broker"):
        open_secrets(ready.paths)

    assert _save(ready, token, {}, STEP_UP).ok
    assert open_secrets(ready.paths).broker.broker_api_key


def test_with_a_lost_key_a_save_fails_by_name_and_takes_nothing_away(ready: Any) -> None:
    token = ready.register()
    (ready.paths.keys / "smtp.key").write_bytes(b"garbage")

    assert ready.ask("provision", {"values": {}}, token).ok
    ready.until(lambda: ready.progress()["state"] == "failed")

    failed = next(step for step in ready.progress()["steps"] if step["status"] == "failed")
    assert "smtp.key" in failed["why"]
    assert "lost" in failed["why"]
    assert ready.paths.current_generation.readlink().name == "00000001"
