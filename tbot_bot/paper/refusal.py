"""What the venue says no with: HTTP status, code and message as Alpaca words them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

FORBIDDEN_CODE = 40310000
NOT_FOUND_CODE = 40410000
VALIDATION_CODE = 40010001
RULE_CODE = 42210000


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    code: int
    message: str
    extra: Mapping[str, object] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        return {"code": self.code, "message": self.message, **self.extra}


def invalid(message: str) -> Refusal:
    """A parameter that is missing or malformed."""
    return Refusal(422, VALIDATION_CODE, message)


def against_rule(message: str) -> Refusal:
    """A well-formed request that a trading rule refuses."""
    return Refusal(422, RULE_CODE, message)


def forbidden(message: str, **extra: object) -> Refusal:
    """Not with this account: buying power, quantity, shorting, wash trade."""
    return Refusal(403, FORBIDDEN_CODE, message, extra)


def not_found(message: str) -> Refusal:
    return Refusal(404, NOT_FOUND_CODE, message)
