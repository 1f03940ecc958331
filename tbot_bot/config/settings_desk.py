"""Checking and saving the configuration: first provisioning, and every change after it."""

from collections.abc import Mapping

from tbot_bot.config.access import Access
from tbot_bot.config.config_encryption import merge_kept
from tbot_bot.config.desk_kind import OK, Kind, Kinds, Lane, Outcome, refused
from tbot_bot.config.faults import Faults
from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.config.progress import Phase
from tbot_bot.config.provisioning_helper import Provisioning, Tools
from tbot_bot.config.security_bot import open_config, register_secrets
from tbot_bot.config.security_users import User
from tbot_bot.domain.errors import NotProvisioned
from tbot_bot.domain.session import ARMED_STATES, CLOSING_STATES, BotState
from tbot_bot.support.envelope import Reply, Request


class SettingsDesk:
    """`validate` judges a configuration, `provision` carries it out."""

    def __init__(self, tools: Tools, access: Access, provisioning: Provisioning, version_tag: str) -> None:
        self._tools = tools
        self._access = access
        self._provisioning = provisioning
        self._version_tag = version_tag

    def kinds(self) -> Kinds:
        return {
            "validate": Kind(self._validate),
            "provision": Kind(self._provision, Lane.WORK, facts=True),
        }

    def _validate(self, request: Request, _: User | None) -> Outcome:
        parsed = self._parsed(request)
        return Outcome(OK if isinstance(parsed, ParsedConfig) else _faulty(parsed))

    def _provision(self, request: Request, user: User | None) -> Outcome:
        denied = self._not_now()
        if denied is not None:
            return Outcome(denied)
        parsed = self._parsed(request)
        if not isinstance(parsed, ParsedConfig):
            return Outcome(_faulty(parsed))
        register_secrets(parsed)
        by = "first setup" if user is None else user.username
        # Before the answer, so that whoever follows it never sees the end of an earlier attempt.
        self._tools.progress.begin()

        def carry_out() -> None:
            self._provisioning.run(parsed, by, request.ip)

        return Outcome(OK, carry_out)

    def _not_now(self) -> Reply | None:
        state = self._tools.state.read()
        if self._tools.progress.phase is Phase.RUNNING:
            return refused("busy", "A provisioning is under way. Follow it, then try again.")
        if self._access.count() == 0:
            if state is BotState.INITIALIZE:
                return None
            return refused("not_allowed", "The bot is configured already. Register the first user, then log in.")
        if state in ARMED_STATES | CLOSING_STATES:
            return refused("busy", f"The bot is {state}. Stop it first; settings change only while it does not trade.")
        return None

    def _parsed(self, request: Request) -> ParsedConfig | Faults:
        values = request.body.get("values")
        given = dict(values) if isinstance(values, dict) else {}
        try:
            kept: Mapping[str, str] = open_config(self._tools.paths).raw
        except NotProvisioned:
            return parse(given, self._version_tag)
        return parse(merge_kept(given, kept), self._version_tag)


def _faulty(faults: Faults) -> Reply:
    rows = tuple(
        {"key": f.key, "value": f.value, "message": f.message, "allowed": f.allowed, "nearest": f.nearest}
        for f in faults
    )
    count = f"{len(rows)} values need" if len(rows) > 1 else "One value needs"
    return refused("invalid", f"{count} correcting. Nothing was saved.", rows)
