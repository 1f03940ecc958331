"""The keys of `.env`: the fixed layout and the logins."""

from tbot_bot.config.keys import Group, KeySpec, Place, Store, Unit
from tbot_bot.domain.installation import Environment

_GENERAL = Place(Store.ENV, Group.EXPERT, "Installation", "env", advanced=True)
_PATHS = Place(Store.ENV, Group.EXPERT, "Files (fixed)", "env", advanced=True)
_KEYS = Place(Store.ENV, Group.EXPERT, "Keys", "env", advanced=True, ours=True)
_LOGIN = Place(Store.ENV, Group.EXPERT, "Logins", "env", advanced=True)

KEYS: tuple[KeySpec, ...] = (
    _GENERAL.choice(
        "ENVIRONMENT",
        "production",
        "Environment",
        "In production nothing starts while plaintext settings or copies of keys lie at the root, or while everyone "
        "can look into the storage. In development, for a checkout, that is only logged.",
        Environment,
    ),
    *_PATHS.paths(
        "Path of {}",
        "Fixed by the layout, relative to the root: {}.",
        (("CONTROL_DIR", "control"), ("ENV_BOT_PATH", ".env_bot")),
    ),
    *_PATHS.paths(
        "Path of {}",
        "Encryption key, relative to the bot's folder; the layout fixes it: {}.",
        (
            ("ENV_KEY_PATH", "storage/keys/env.key"),
            ("ENV_ENC_KEY_PATH", "storage/keys/env_enc.key"),
            ("LOGIN_KEY_PATH", "storage/keys/login.key"),
            ("BROKER_KEY_PATH", "storage/keys/broker.key"),
            ("SMTP_KEY_PATH", "storage/keys/smtp.key"),
            ("SCREENER_API_KEY_PATH", "storage/keys/screener_api.key"),
            ("ACCT_API_KEY_PATH", "storage/keys/acct_api.key"),
            ("ALERT_KEY_PATH", "storage/keys/alert.key"),
        ),
    ),
    *_PATHS.paths(
        "Path of {}",
        "Encrypted file, relative to the bot's folder; the layout fixes it: {}.",
        (
            ("BROKER_CREDENTIALS_PATH", "storage/secrets/broker_credentials.json.enc"),
            ("SMTP_CREDENTIALS_PATH", "storage/secrets/smtp_credentials.json.enc"),
            ("SCREENER_API_PATH", "storage/secrets/screener_api.json.enc"),
            ("ACCT_API_CREDENTIALS_PATH", "storage/secrets/acct_api_credentials.json.enc"),
            ("NETWORK_CONFIG_PATH", "storage/secrets/network_config.json.enc"),
            ("ALERT_CHANNELS_PATH", "storage/secrets/alert_channels.json.enc"),
            ("BOT_IDENTITY_PATH", "storage/secrets/bot_identity.json.enc"),
        ),
    ),
    _LOGIN.integer(
        "SESSION_TIMEOUT",
        "3000",
        "Idle logout",
        "Seconds without a click after which a login ends.",
        Unit.SECONDS,
        "60",
        "86400",
        "session_timeout_s",
    ),
    _LOGIN.integer(
        "SESSION_TIMEOUT_MINUTES",
        "120",
        "Longest login",
        "Minutes after which a login ends however busy it is.",
        Unit.MINUTES,
        "1",
        "1440",
    ),
    _LOGIN.integer(
        "LOGIN_ATTEMPT_LIMIT",
        "10",
        "Login attempts",
        "Wrong passwords in a row before the account is locked.",
        Unit.TIMES,
        "1",
        "100",
    ),
    _LOGIN.integer(
        "LOGIN_LOCKOUT_MINUTES",
        "15",
        "Lockout",
        "Minutes for which a locked account stays locked.",
        Unit.MINUTES,
        "1",
        "1440",
    ),
    _KEYS.integer(
        "KEY_GRACE_HOURS",
        "24",
        "Keep old keys for",
        "Hours for which replaced keys and secrets are kept before they are destroyed; 0 = not at all.",
        Unit.HOURS,
        "0",
        "720",
    ),
)
