"""Checking and saving the configuration: first provisioning, and every change after it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tbot_bot.config.access import Access
from tbot_bot.config.config_diff import goes_live, raised
from tbot_bot.config.config_encryption import merge_kept, readable_values
from tbot_bot.config.desk_kind import OK, Kind, Kinds, Lane, Outcome, fault, refused
from tbot_bot.config.faults import Faults
from tbot_bot.config.keys import Store
from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.config.progress import Phase
from tbot_bot.config.provisioning_helper import Provisioning, Tools
from tbot_bot.config.schema import KEYS
from tbot_bot.config.security_bot import open_config, register_secrets
from tbot_bot.config.security_users import User
from tbot_bot.domain.errors import ConfigInvalid, NotProvisioned, SecretUnavailable
from tbot_bot.domain.session import ARMED_STATES, CLOSING_STATES, BotState
from tbot_bot.support.envelope import Reply, Request

_BOUND = ("BROKER_NAME", *(spec.name for spec in KEYS if spec.store in {Store.BROKER, Store.IDENTITY}))
"""What a running day is bound to: the account it trades, and the names on its orders."""


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
        denied = self._not_this(request, user, parsed)
        if denied is not None:
            return Outcome(denied)
        by = "first setup" if user is None else user.username
        # Before the answer, so that whoever follows it never sees the end of an earlier attempt.
        self._tools.progress.begin()

        def carry_out() -> None:
            self._provisioning.run(parsed, by, request.ip)

        return Outcome(replace(OK, message=self._when()), carry_out)

    def _not_now(self) -> Reply | None:
        state = self._tools.state.read()
        if self._tools.progress.phase is Phase.RUNNING:
            return refused("busy", "A provisioning is under way. Follow it, then try again.")
        if self._access.count() == 0:
            if state is BotState.INITIALIZE:
                return None
            return refused("not_allowed", "The bot is configured already. Register the first user, then log in.")
        if state in CLOSING_STATES:
            return refused("busy", "Positions are being closed. Save again when that is done.")
        return None

    def _not_this(self, request: Request, user: User | None, new: ParsedConfig) -> Reply | None:
        """Why these values may not be saved now, or not without a fresh password."""
        if user is None:
            return None
        old = self._stored()
        if self._tools.state.read() in ARMED_STATES:
            bound = _BOUND if old is None else [name for name in _BOUND if old.raw[name] != new.raw[name]]
            if bound:
                words = "The running session is bound to its broker, account and name. Stop the bot to change"
                return refused("busy", f"{words} {_listed(bound)}.", tuple(fault(name, words) for name in bound))
        return self._step_up(request, user, old, new)

    def _step_up(self, request: Request, user: User, old: ParsedConfig | None, new: ParsedConfig) -> Reply | None:
        live = goes_live(old, new)
        known = self._readable() if old is None else old.raw
        risky = [name for name in raised(known, new.raw) if name not in live]
        if not live and not risky:
            return None
        reply = self._access.step_up(request, user)
        if reply is None:
            return None
        why = [f"{_listed(live)}: real money is traded with this."] if live else []
        why += [f"{_listed(risky)}: more can be lost with this."] if risky else []
        faults = tuple(fault(name, "needs your password") for name in (*live, *risky))
        return replace(reply, message=" ".join([*why, reply.message]), faults=(*reply.faults, *faults))

    def _when(self) -> str:
        if self._tools.state.read() in ARMED_STATES:
            return "Saved. It takes effect between windows."
        return ""

    def _parsed(self, request: Request) -> ParsedConfig | Faults:
        values = request.body.get("values")
        given = dict(values) if isinstance(values, dict) else {}
        try:
            kept = self._readable()
        except NotProvisioned:
            return parse(given, self._version_tag)
        return parse(merge_kept(given, kept), self._version_tag)

    def _stored(self) -> ParsedConfig | None:
        """The configuration in use; None when it cannot be read or does not fit, and then it says nothing."""
        try:
            return open_config(self._tools.paths)
        except (SecretUnavailable, ConfigInvalid):
            return None

    def _readable(self) -> Mapping[str, str]:
        return readable_values(self._tools.paths)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _faulty(faults: Faults) -> Reply:
    rows = tuple(
        {"key": f.key, "value": f.value, "message": f.message, "allowed": f.allowed, "nearest": f.nearest}
        for f in faults
    )
    count = f"{len(rows)} values need" if len(rows) > 1 else "One value needs"
    return refused("invalid", f"{count} correcting. Nothing was saved.", rows)
