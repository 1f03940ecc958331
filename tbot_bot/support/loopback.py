"""Whether an address is this machine."""

import ipaddress


def is_loopback(host: str) -> bool:
    """True for `localhost` and loopback addresses; a name is never looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
