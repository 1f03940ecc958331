"""Who the bot trades through and who it is: broker choice, the unified credentials, identity, other parties' keys."""

from dataclasses import replace

from tbot_bot.config.keys import Group, KeySpec, Place, Store
from tbot_bot.domain.settings import AlertChannel, BrokerName

PRINTABLE = "[!-~]{0,512}"

_ROUTE = Place(Store.ENV_BOT, Group.BROKER, "Broker", "routing")
_TOGGLE = Place(Store.ENV_BOT, Group.BROKER, "Broker toggles", "", advanced=True)
_FAILOVER = Place(Store.ENV_BOT, Group.BROKER, "Failover", "failover", advanced=True)
_CREDENTIALS = Place(Store.BROKER, Group.BROKER, "Credentials", "broker")
_SECONDARY = Place(Store.BROKER, Group.BROKER, "Secondary broker", "secondary", advanced=True, ours=True)
_MORE_CREDENTIALS = Place(Store.BROKER, Group.BROKER, "Credentials", "broker", advanced=True)
_IDENTITY = Place(Store.IDENTITY, Group.BROKER, "Identity", "identity", advanced=True)
_SCREENER = Place(Store.SCREENER, Group.BROKER, "Fundamentals provider", "screener", advanced=True, ours=True)
_ALERTS = Place(Store.ALERTS, Group.ALERTS, "Where alerts go", "alerts", ours=True)
_NOTIFY = Place(Store.ENV_BOT, Group.ALERTS, "What is told", "notify")


def _toggle(broker: BrokerName) -> KeySpec:
    """An optional switch; BROKER_NAME decides, this may only agree with it."""
    row = _TOGGLE.boolean(
        f"{broker}_ENABLED",
        "",
        f"{broker} enabled",
        "Leave empty. Where it is set it must agree with BROKER_NAME, which selects the broker.",
    )
    return replace(row, optional=True)


KEYS: tuple[KeySpec, ...] = (
    _ROUTE.choice(
        "BROKER_NAME",
        "PAPER",
        "Broker",
        "PAPER is the built-in practice exchange and needs no account. IBKR and TRADIER list no symbols: until the"
        " universe has a source of its own they watch and close, and open nothing.",
        BrokerName,
    ),
    *(_toggle(broker) for broker in (BrokerName.ALPACA, BrokerName.IBKR, BrokerName.TRADIER)),
    _CREDENTIALS.url(
        "BROKER_URL",
        "API address",
        "Empty = the broker's own paper address (PAPER: http://127.0.0.1:8090,"
        " ALPACA: https://paper-api.alpaca.markets, TRADIER: https://sandbox.tradier.com)."
        " https://api.alpaca.markets and https://api.tradier.com trade real money. IBKR: see the gateway host.",
    ),
    _CREDENTIALS.secret(
        "BROKER_API_KEY",
        "API key",
        "From the broker's website; TRADIER calls it the access token. For PAPER leave it empty: one is made.",
        PRINTABLE,
    ),
    _CREDENTIALS.secret(
        "BROKER_SECRET_KEY",
        "API secret",
        "From the broker's website. For PAPER leave it empty: one is made.",
        PRINTABLE,
    ),
    replace(
        _MORE_CREDENTIALS.choice(
            "BROKER_CODE",
            "",
            "Broker code",
            "Leave empty: it follows BROKER_NAME, and must equal it where it is set.",
            BrokerName,
        ),
        optional=True,
    ),
    _MORE_CREDENTIALS.optional_text(
        "BROKER_HOST",
        "Data or gateway host",
        "IBKR: where TWS or IB Gateway listens on this machine (empty = 127.0.0.1:4002, paper; 4001 trades real money)."
        " ALPACA: replaces the host of the market data, data.alpaca.markets. Else leave it empty.",
        r"[A-Za-z0-9.:_\-]{0,253}",
    ),
    _MORE_CREDENTIALS.secret("BROKER_USERNAME", "User name", "For brokers with a login; PAPER and ALPACA have none."),
    _MORE_CREDENTIALS.secret("BROKER_PASSWORD", "Password", "For brokers with a login; PAPER and ALPACA have none."),
    _MORE_CREDENTIALS.secret(
        "BROKER_ACCOUNT_NUMBER",
        "Account number",
        "Where the broker needs it. With it set, the bot refuses to trade any other account.",
        r"[A-Za-z0-9\-]{0,64}",
    ),
    _FAILOVER.boolean(
        "FAILOVER_ENABLED",
        "true",
        "Failover",
        "While the broker is down, new entries go to the secondary broker, where one is set; positions stay where they"
        " are. Without a secondary broker it changes nothing.",
    ),
    _FAILOVER.text(
        "FAILOVER_LOG_TAG",
        "FAILOVER_ACTIVE",
        "Failover tag",
        "Mark on what went to the secondary broker, in logs and ledger.",
        r"[A-Za-z0-9_\-]{1,40}",
    ),
    replace(
        _SECONDARY.choice(
            "SECONDARY_BROKER_CODE",
            "",
            "Secondary broker",
            "Empty = none. Its account is a second one, with money of its own.",
            BrokerName,
        ),
        optional=True,
    ),
    _SECONDARY.url("SECONDARY_BROKER_URL", "API address of the secondary", "As BROKER_URL; needed where it is one."),
    _SECONDARY.optional_text(
        "SECONDARY_BROKER_HOST", "Host of the secondary", "As BROKER_HOST.", r"[A-Za-z0-9.:_\-]{0,253}"
    ),
    _SECONDARY.secret("SECONDARY_BROKER_API_KEY", "API key of the secondary", "As BROKER_API_KEY.", PRINTABLE),
    _SECONDARY.secret("SECONDARY_BROKER_SECRET_KEY", "API secret of the secondary", "As BROKER_SECRET_KEY.", PRINTABLE),
    _SECONDARY.secret(
        "SECONDARY_BROKER_ACCOUNT_NUMBER",
        "Account number of the secondary",
        "As BROKER_ACCOUNT_NUMBER.",
        r"[A-Za-z0-9\-]{0,64}",
    ),
    _IDENTITY.text("ENTITY_CODE", "MAIN", "Entity", "Whose books these are, in the ledger.", r"[A-Za-z0-9_\-]{1,16}"),
    _IDENTITY.text(
        "JURISDICTION_CODE",
        "US",
        "Jurisdiction",
        "Country code; with RISK_FREE_RATE_SOURCE=dynamic it selects the risk-free rate.",
        "[A-Z]{2,3}",
    ),
    _IDENTITY.text(
        "BOT_ID",
        "TBOT01",
        "Bot",
        "Name of this bot, part of every client order id. Two bots on one account need two names.",
        r"[A-Za-z0-9_\-]{1,16}",
    ),
    _SCREENER.secret(
        "SCREENER_API_KEY",
        "Finnhub key",
        "For market caps and fundamentals. Empty = only what the broker and the cached universe know.",
        PRINTABLE,
    ),
    _NOTIFY.boolean(
        "NOTIFY_ON_FILL",
        "true",
        "Entries",
        "Tell when a trade is entered: in this release on the dashboard and in the log.",
    ),
    _NOTIFY.boolean(
        "NOTIFY_ON_EXIT", "true", "Exits", "Tell when a trade is left: in this release on the dashboard and in the log."
    ),
    _NOTIFY.boolean("NOTIFY_ON_FAILURE", "true", "Failures", "Send a message when something fails."),
    _NOTIFY.choice(
        "CRITICAL_ALERT_CHANNEL",
        "pagerduty",
        "Critical alerts",
        "Channel for kills, loss limits and failures.",
        AlertChannel,
    ),
    replace(
        _NOTIFY.choice(
            "ROUTINE_ALERT_CHANNEL",
            "email",
            "Routine alerts",
            "Channel for entries, exits and summaries: email or slack.",
            AlertChannel,
        ),
        only=(AlertChannel.EMAIL, AlertChannel.SLACK),
    ),
    *(
        _ALERTS.secret(
            f"ALERT_URL_{channel.name}",
            f"{channel.capitalize()} address",
            f"Apprise URL of the {channel} channel, such as {example}. Empty = not set up: such alerts are"
            " only logged and shown.",
            "[!-~]{0,512}",
        )
        for channel, example in (
            (AlertChannel.EMAIL, "mailtos://user:password@example.com?to=me@example.com"),
            (AlertChannel.SLACK, "slack://tokenA/tokenB/tokenC"),
            (AlertChannel.SMS, "twilio://sid:token@from/to"),
            (AlertChannel.PAGERDUTY, "pagerduty://integration_key@api_key"),
        )
    ),
)
