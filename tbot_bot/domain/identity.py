"""Who this bot is, and the keys it shows to others than the broker."""

from dataclasses import dataclass, field

from tbot_bot.domain.settings import AlertChannel


@dataclass(frozen=True, slots=True)
class BotIdentity:
    """Who this bot is, for the ledger and the client order ids."""

    entity_code: str
    jurisdiction_code: str
    bot_id: str


@dataclass(frozen=True, slots=True)
class AlertTargets:
    """Where each alert channel leads: an apprise URL, which holds a secret; empty = the channel is not set up."""

    alert_url_email: str = field(default="", repr=False)
    alert_url_slack: str = field(default="", repr=False)
    alert_url_sms: str = field(default="", repr=False)
    alert_url_pagerduty: str = field(default="", repr=False)

    def of(self, channel: AlertChannel) -> str:
        """The channel's URL, empty when it is not set up."""
        match channel:
            case AlertChannel.EMAIL:
                return self.alert_url_email
            case AlertChannel.SLACK:
                return self.alert_url_slack
            case AlertChannel.SMS:
                return self.alert_url_sms
            case AlertChannel.PAGERDUTY:
                return self.alert_url_pagerduty


@dataclass(frozen=True, slots=True)
class ScreenerCredentials:
    """The fundamentals provider's key; empty = only what the broker and the cached universe know."""

    screener_api_key: str = field(default="", repr=False)
