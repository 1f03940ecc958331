import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbot_bot.broker.addresses import base_address
from tbot_bot.domain.errors import ConfigInvalid
from tbot_bot.support.loopback import is_loopback


def read(url: str) -> str:
    parts = base_address("BROKER_URL", url, "https://broker.example", ("/v1",))
    return f"{parts.scheme}://{parts.netloc}"


@pytest.mark.parametrize(
    "url", ["https://broker.example", "https://broker.example/v1/", "https://broker.example:8443/"]
)
def test_an_encrypted_base_is_taken(url: str) -> None:
    assert read(url).startswith("https://broker.example")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8090", "http://localhost/", "http://[::1]:80/v1"])
def test_plain_http_is_taken_on_this_machine(url: str) -> None:
    assert read(url).startswith("http://")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://broker.example", "https"),
        ("http://127.0.0.1.evil.example", "https"),
        ("http://0.0.0.0", "https"),
        ("ftp://broker.example", "such as"),
        ("broker.example", "such as"),
        ("", "such as"),
        ("https://", "such as"),
        ("https://user:word@broker.example", "such as"),
        ("https://broker.example:port", "not an address"),
        ("https://broker.example/v9", "base address"),
        ("https://broker.example/v1?key=1", "base address"),
        ("https://broker.example#x", "base address"),
    ],
)
def test_anything_else_is_refused_in_words_without_what_may_be_a_secret(url: str, words: str) -> None:
    with pytest.raises(ConfigInvalid, match=words) as refused:
        read(url)
    assert "BROKER_URL" in str(refused.value)
    assert "user:word" not in str(refused.value)


@given(st.text(max_size=40), st.sampled_from(["", "http://", "https://", "http://127.0.0.1", "//"]))
def test_whatever_is_entered_is_refused_or_safe(rest: str, start: str) -> None:
    try:
        parts = base_address("BROKER_URL", start + rest, "https://broker.example")
    except ConfigInvalid:
        return
    assert parts.scheme == "https" or is_loopback(parts.hostname or "")
    assert parts.username is None
