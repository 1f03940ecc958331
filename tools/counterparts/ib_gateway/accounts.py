"""Whose account a client of the gateway trades."""

CLIENTS_OF_AN_ACCOUNT = 10
FIRST_ACCOUNT = 1_000_000


def account_number(client: int) -> str:
    """A gateway serves the account that was logged in; here ten client ids share one, so that tests can have many."""
    return f"DU{FIRST_ACCOUNT + client // CLIENTS_OF_AN_ACCOUNT}"
