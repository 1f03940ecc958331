import pytest

from tbot_bot.config import settings_cache
from tbot_bot.config.settings_cache import SettingsCache
from tbot_bot.domain.errors import NotProvisioned, SecretUnavailable
from tests.unit.config.conftest import Rig


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one whenever the configuration is really decrypted."""
    times: list[int] = []
    real = settings_cache.open_config

    def counting(paths: object) -> object:
        times.append(1)
        return real(paths)  # type: ignore[arg-type]

    monkeypatch.setattr(settings_cache, "open_config", counting)
    return times


def test_it_is_decrypted_once_until_something_changes(ready: Rig, opened: list[int]) -> None:
    cache = SettingsCache(ready.paths)
    assert cache.open() is cache.open()
    mine = len(opened)

    assert ready.ask("provision", {"values": {"LOGIN_ATTEMPT_LIMIT": "4"}}, _admin(ready)).ok
    ready.until(lambda: cache.open().env.login_attempt_limit == 4)
    assert len(opened) > mine


def test_damage_shows_at_once(ready: Rig) -> None:
    cache = SettingsCache(ready.paths)
    cache.open()
    path = ready.paths.secrets / "broker_credentials.json.enc"
    path.write_bytes(path.read_bytes()[:-5])

    for _ in range(2):
        with pytest.raises(SecretUnavailable):
            cache.open()


def test_now_and_then_it_is_decrypted_anew(ready: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_cache, "REOPEN_AFTER", -1.0)
    cache = SettingsCache(ready.paths)

    assert cache.open() is not cache.open()


def test_before_provisioning_there_is_nothing(rig: Rig) -> None:
    with pytest.raises(NotProvisioned):
        SettingsCache(rig.paths).open()


def _admin(ready: Rig) -> str:
    return ready.register()
