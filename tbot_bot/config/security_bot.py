"""The bot's configuration and credentials, opened in memory for the processes that trade."""

from dataclasses import dataclass, field

from tbot_bot.config.config_encryption import read_stored
from tbot_bot.config.env_bot import load, require
from tbot_bot.config.parse import ParsedConfig
from tbot_bot.config.schema import KEYS
from tbot_bot.config.version import version_tag
from tbot_bot.domain.identity import AlertTargets, BotIdentity, ScreenerCredentials
from tbot_bot.domain.settings import BotSettings, BrokerCredentials, EnvSettings
from tbot_bot.support.logs import add_secret
from tbot_bot.support.path_resolver import Paths


@dataclass(frozen=True, slots=True)
class LoadedSecrets:
    """Everything a trading process needs to know; secrets stay out of `repr` and out of the logs."""

    env: EnvSettings
    bot: BotSettings
    broker: BrokerCredentials = field(repr=False)
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
        bot_id=config.identity.bot_id,
        identity=config.identity,
        alerts=config.alerts,
        screener=config.screener,
    )


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
