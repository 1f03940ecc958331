"""What the runner publishes: the configuration form with its present values, and facts about the installation."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tbot_bot.config.access import Access
from tbot_bot.config.config_encryption import readable_values
from tbot_bot.config.env_bot import default_config
from tbot_bot.config.form import form_model
from tbot_bot.config.generations import current_number
from tbot_bot.config.parse import ParsedConfig
from tbot_bot.config.progress import EXPIRES_AFTER
from tbot_bot.config.schema import KEYS
from tbot_bot.config.settings_cache import SettingsCache
from tbot_bot.domain.errors import NotProvisioned, SecretUnavailable, TbotError
from tbot_bot.ports.books import AuditLog
from tbot_bot.ports.clock import Clock
from tbot_bot.support.audit_anchors import keep_anchor, now_anchor
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.recovery_record import read_recovery
from tbot_bot.support.snapshot import Publisher

_log = get_logger("runner")
_BETWEEN_ANCHORS = 600.0


class AnchoredAuditLog(AuditLog, Protocol):
    """An audit log that can say where it ends."""

    def head(self) -> tuple[int, str]:
        """Number and hash of the last record."""
        ...

    def newest(self, event: str) -> Mapping[str, Any] | None:
        """The newest record of `event` that the runner made itself, with its `at` and `detail`."""
        ...


class PublishedFacts:
    """Publishes `form` and `system`."""

    def __init__(
        self,
        paths: Paths,
        clock: Clock,
        publisher: Publisher,
        access: Access,
        audit: AnchoredAuditLog,
        version_tag: str,
        audit_problem: Callable[[], str],
        more_facts: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._paths = paths
        self._more_facts = more_facts
        self._audit_problem = audit_problem
        self._clock = clock
        self._publisher = publisher
        self._access = access
        self._audit = audit
        self._version_tag = version_tag
        self._anchored = -1
        self._kept_at = float("-inf")
        self._settings = SettingsCache(paths)

    def publish(self) -> None:
        """Both snapshots; the end of the audit log also goes to the journal whenever it moved, and to the anchors in
        `control/` every ten minutes.

        `form`: config.form.form_model() plus values {key: text} without secrets, secrets_set [keys that have one],
        problem. `system`: provisioned, users (count), version, paper, audit {seq, hash, problem}, recovery (its key's
        fingerprint, "" = none), problem ("" = none), and the further facts."""
        config, problem = self._config()
        seq, line_hash = self._audit.head()
        system: dict[str, Any] = {
            "provisioned": self._access.open() is not None,
            "users": self._access.count(),
            "version": self._version_tag,
            "paper": not config.broker.live,
            "audit": {"seq": seq, "hash": line_hash, "problem": self._audit_problem()},
            "recovery": _recovery(self._paths),
            "problem": problem,
            **self._more_facts(),
        }
        self._publisher.publish("form", self._form(config, problem), EXPIRES_AFTER)
        self._publisher.publish("system", system, EXPIRES_AFTER)
        if seq != self._anchored:
            _log.info("audit head", extra={"fields": {"seq": seq, "hash": line_hash}})
            self._anchored = seq
            self._keep_anchor(seq, line_hash)

    def _keep_anchor(self, seq: int, line_hash: str) -> None:
        if seq == 0 or time.monotonic() - self._kept_at < _BETWEEN_ANCHORS:
            return
        try:
            keep_anchor(self._paths.control, now_anchor("the runner", (seq, line_hash), self._clock.now()))
        except OSError as error:
            _log.error("an anchor could not be kept", extra={"fields": {"why": error.strerror}})
            return
        self._kept_at = time.monotonic()

    def _config(self) -> tuple[ParsedConfig, str]:
        """The stored configuration, else that of a new installation, and what is wrong with the stored one."""
        try:
            return self._settings.open(), ""
        except NotProvisioned:
            return default_config(self._version_tag), ""
        except TbotError as error:
            return default_config(self._version_tag), str(error)

    def _form(self, config: ParsedConfig, problem: str) -> dict[str, Any]:
        provisioned = current_number(self._paths) is not None
        values = self._values_to_correct(config) if problem else config.raw
        return {
            **form_model(),
            "values": {spec.name: values[spec.name] for spec in KEYS if not spec.secret},
            "secrets_set": [spec.name for spec in KEYS if spec.secret and provisioned and values[spec.name]],
            "problem": problem,
        }

    def _values_to_correct(self, defaults: ParsedConfig) -> Mapping[str, str]:
        """What can be read of a configuration that is not valid or not whole: the page must not offer defaults for
        what is there."""
        try:
            kept = readable_values(self._paths)
        except TbotError:
            kept = {}
        return {**defaults.raw, **kept, "VERSION_TAG": self._version_tag}


def _recovery(paths: Paths) -> str:
    try:
        record = read_recovery(paths)
    except SecretUnavailable:
        return ""
    return "" if record is None else record.fingerprint
