"""What is known in public about the recovery key: an age identity that the admin keeps offline."""

import json
from dataclasses import dataclass

from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.support.path_resolver import Paths

RECORD = "recovery.json"


@dataclass(frozen=True, slots=True)
class RecoveryRecord:
    """`recipient`: what backups are encrypted to. `fingerprint`: how people tell two keys apart."""

    recipient: str
    fingerprint: str
    confirmed_at: str
    by: str


def read_recovery(paths: Paths) -> RecoveryRecord | None:
    """None while no recovery key was confirmed. Raises SecretUnavailable when the record is damaged."""
    try:
        data = (paths.recovery / RECORD).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SecretUnavailable(f"{RECORD} cannot be read: {error.strerror}") from error
    return parse_recovery(data)


def parse_recovery(data: bytes) -> RecoveryRecord:
    """Raises SecretUnavailable when `data` is no such record."""
    try:
        row = json.loads(data)
        return RecoveryRecord(*(str(row[name]) for name in ("recipient", "fingerprint", "confirmed_at", "by")))
    except (ValueError, KeyError, TypeError) as error:
        raise SecretUnavailable(f"storage/recovery/{RECORD} is damaged: make a new recovery key") from error
