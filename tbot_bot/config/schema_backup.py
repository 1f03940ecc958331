"""Keys of the backups: how many are kept, when they are made, and where copies go."""

from tbot_bot.config.keys import Group, KeySpec, Place, Store, Unit

_KEEP = Place(Store.ENV, Group.EXPERT, "Backups", "env.backup", ours=True, advanced=True)
_TARGET = Place(Store.NETWORK, Group.EXPERT, "Backup copies elsewhere", "target", ours=True, advanced=True)

_SEGMENT = r"[A-Za-z0-9._\-]{1,60}"
_URL = (
    rf"(s3://[a-z0-9][a-z0-9.\-]{{1,61}}[a-z0-9](/{_SEGMENT}){{0,6}}"
    rf"|sftp://[A-Za-z0-9._\-]{{1,64}}@[A-Za-z0-9.\-]{{1,120}}(:[0-9]{{1,5}})?(/{_SEGMENT}){{1,8}})?"
)


def _kept(period: str, default: str, least: str) -> KeySpec:
    return _KEEP.integer(
        f"BACKUP_KEEP_{period.upper()}LY" if period != "day" else "BACKUP_KEEP_DAILY",
        default,
        f"Keep for {period}s",
        f"How many {period}s keep their newest backup.",
        Unit.TIMES,
        least,
        "400",
    )


KEYS: tuple[KeySpec, ...] = (
    _KEEP.time(
        "BACKUP_TIME",
        "07:30",
        "Time",
        "When the nightly backup is made with `make run`. Installed, tbot-backup.timer says when.",
        "backup_time",
    ),
    _kept("day", "7", "1"),
    _kept("week", "5", "0"),
    _kept("month", "12", "0"),
    _TARGET.optional_text(
        "BACKUP_TARGET_URL",
        "Copy to",
        "s3://bucket/folder or sftp://user@host:port/folder; empty = nowhere. The copies are as encrypted as the"
        " originals.",
        _URL,
    ),
    _TARGET.url(
        "BACKUP_TARGET_ENDPOINT",
        "S3 address",
        "Of an S3-compatible server; empty = Amazon's.",
    ),
    _TARGET.secret("BACKUP_TARGET_ACCESS_KEY", "S3 access key", "May list, read, write and delete below the folder."),
    _TARGET.secret("BACKUP_TARGET_SECRET_KEY", "S3 secret key", "Belongs to the access key."),
    _TARGET.optional_text(
        "BACKUP_TARGET_HOST_KEY",
        "SFTP host key",
        "Fingerprint of the server's key, SHA256:…, as ssh-keyscan HOST | ssh-keygen -lf - shows it. Without it nothing"
        " is sent; the refusal names the key that the server showed.",
        r"(SHA256:[A-Za-z0-9+\/]{43})?",
    ),
    _TARGET.secret("BACKUP_TARGET_PASSWORD", "SFTP password", "Empty when a private key is used."),
    _TARGET.secret(
        "BACKUP_TARGET_PRIVATE_KEY",
        "SFTP private key",
        "An Ed25519 key file without passphrase as one line of base64: base64 -w0 FILE.",
    ),
)
