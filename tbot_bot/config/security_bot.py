"""The bot's configuration and credentials, opened in memory for the processes that trade."""

from dataclasses import dataclass, field

from tbot_bot.config.config_encryption import read_stored
from tbot_bot.config.env_bot import default_config, load, require
from tbot_bot.config.env_file import parse_env_text
from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.config.schema import KEYS
from tbot_bot.config.version import version_tag
from tbot_bot.domain.errors import ConfigInvalid, SecretUnavailable
from tbot_bot.domain.identity import AlertTargets, BotIdentity, ScreenerCredentials
from tbot_bot.domain.installation import EnvSettings
from tbot_bot.domain.settings import AccessSettings, BotSettings, BrokerCredentials, UserRole
from tbot_bot.support.decrypt_secrets import with_generation
from tbot_bot.support.logs import add_secret, get_logger
from tbot_bot.support.path_resolver import Paths

_log = get_logger("config")
_ACCESS_KEYS = ("RBAC_ENABLED", "DEFAULT_USER_ROLE")


@dataclass(frozen=True, slots=True)
class LoadedSecrets:
    """Everything a trading process needs to know; secrets stay out of `repr` and out of the logs."""

    env: EnvSettings
    bot: BotSettings
    broker: BrokerCredentials = field(repr=False)
    secondary: BrokerCredentials | None = field(repr=False)
    bot_id: str
    identity: BotIdentity
    alerts: AlertTargets = field(repr=False)
    screener: ScreenerCredentials = field(repr=False)


def open_secrets(paths: Paths) -> LoadedSecrets:
    """Decrypt and check the whole configuration.

    Raises NotProvisioned (nothing there yet), SecretUnavailable (missing, damaged or not ours to read) or
    ConfigInvalid (it does not fit this release), each saying what to do."""
    config = open_config(paths)
    return LoadedSecrets(
        env=config.env,
        bot=config.bot,
        broker=config.broker,
        secondary=config.secondary,
        bot_id=config.identity.bot_id,
        identity=config.identity,
        alerts=config.alerts,
        screener=config.screener,
    )


def open_env(paths: Paths) -> EnvSettings:
    """`.env` alone. Raises NotProvisioned, SecretUnavailable or ConfigInvalid."""
    read = parse_env_text(
        with_generation(paths, lambda folder: folder.decrypt("env_enc"), "limits of logins and keys").decode()
    )
    parsed = parse(read.values, version_tag())
    return require(read.faults or parsed).env


def login_rules(paths: Paths) -> EnvSettings:
    """`.env`, or the rules of a new installation when it cannot be read: an admin must get in to put that right."""
    try:
        return open_env(paths)
    except (SecretUnavailable, ConfigInvalid) as error:
        _log.error("logins go by the default rules", extra={"fields": {"why": str(error)}})
        return default_config(version_tag()).env


def access_rules(paths: Paths) -> AccessSettings:
    """Who can log in besides admins; no one when that cannot be read."""
    try:
        text = with_generation(paths, lambda folder: folder.decrypt("env_bot"), "logins").decode()
        read = parse_env_text(text)
        known = {name: read.values[name] for name in _ACCESS_KEYS if name in read.values}
        return require(read.faults or parse(known, version_tag())).bot.access
    except (SecretUnavailable, ConfigInvalid) as error:
        _log.error("only admins can log in", extra={"fields": {"why": str(error)}})
        return AccessSettings(rbac_enabled=False, default_user_role=UserRole.VIEWER)


def open_config(paths: Paths) -> ParsedConfig:
    """The same with the raw text of every key, for the runner."""
    stored = read_stored(paths)
    config = require(load(stored.env_bot, version_tag(), stored.others))
    register_secrets(config)
    return config


def register_secrets(config: ParsedConfig) -> None:
    """From now on no log line shows one of the configuration's secrets."""
    for spec in KEYS:
        if spec.secret:
            add_secret(config.raw[spec.name])
