"""What `.env` settles: the installation itself, its logins, its keys' and backups' lives. Parsed, typed, frozen."""

from dataclasses import dataclass, field
from datetime import time
from enum import StrEnum


class Environment(StrEnum):
    PRODUCTION = "production"
    DEVELOPMENT = "development"


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """How many days, weeks and months keep a backup, and when the nightly one is made (UTC)."""

    backup_keep_daily: int
    backup_keep_weekly: int
    backup_keep_monthly: int
    backup_time: time


@dataclass(frozen=True, slots=True)
class BackupTarget:
    """Where copies of the backups go; an empty URL = nowhere. Secrets stay out of `repr`."""

    backup_target_url: str = ""
    backup_target_endpoint: str = ""
    backup_target_host_key: str = ""
    backup_target_access_key: str = field(default="", repr=False)
    backup_target_secret_key: str = field(default="", repr=False)
    backup_target_password: str = field(default="", repr=False)
    backup_target_private_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class EnvSettings:
    """All of `.env`. Paths are relative to the root and fixed, because `support.path_resolver` sets the layout."""

    environment: Environment
    control_dir: str
    env_bot_path: str
    env_key_path: str
    env_enc_key_path: str
    login_key_path: str
    broker_key_path: str
    smtp_key_path: str
    screener_api_key_path: str
    acct_api_key_path: str
    alert_key_path: str
    broker_credentials_path: str
    smtp_credentials_path: str
    screener_api_path: str
    acct_api_credentials_path: str
    network_config_path: str
    alert_channels_path: str
    bot_identity_path: str
    session_timeout_s: int
    """Idle seconds after which a login ends."""
    session_timeout_minutes: int
    """Minutes after which a login ends however busy it is."""
    login_attempt_limit: int
    login_lockout_minutes: int
    key_grace_hours: int
    """Hours for which a replaced generation of keys and secrets is kept."""
    backup: BackupSettings
