import pytest

from tbot_bot.support.loopback import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "localhost.example", "127.0.0.1.example.com", "10.0.0.1", "0.0.0.0", "::"])
def test_anything_else_is_not(host: str) -> None:
    assert not is_loopback(host)
