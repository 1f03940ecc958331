"""The one rule for a broker's address: encrypted, except on this machine; a base alone, without credentials in it."""

from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from tbot_bot.domain.errors import ConfigInvalid
from tbot_bot.support.loopback import is_loopback


def base_address(key: str, url: str, example: str, versions: Sequence[str] = ()) -> SplitResult:
    """`url`, which `key` holds, in parts; its path may be one of `versions`, such as /v1, or nothing.

    Raises ConfigInvalid for anything but https, http on loopback excepted."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigInvalid(f"{key} is not an address: {error}") from error
    if not host or parts.scheme not in ("http", "https") or parts.username is not None:
        raise ConfigInvalid(f"{key} must be an address such as {example}")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigInvalid(f"{key} must begin with https://; plain http is accepted only on this machine")
    if parts.path.rstrip("/") not in ("", *versions) or parts.query or parts.fragment:
        raise ConfigInvalid(f"{key} must be the base address without the path {parts.path}")
    return parts
