"""What the runner publishes: the configuration form with its present values, and facts about the installation."""

from typing import Any, Protocol

from tbot_bot.config.access import Access
from tbot_bot.config.env_bot import default_config
from tbot_bot.config.form import form_model
from tbot_bot.config.generations import current_number
from tbot_bot.config.parse import ParsedConfig
from tbot_bot.config.progress import EXPIRES_AFTER
from tbot_bot.config.schema import KEYS
from tbot_bot.config.security_bot import open_config
from tbot_bot.domain.errors import NotProvisioned, TbotError
from tbot_bot.ports.books import AuditLog
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher

_log = get_logger("runner")


class AnchoredAuditLog(AuditLog, Protocol):
    """An audit log that can say where it ends."""

    def head(self) -> tuple[int, str]:
        """Number and hash of the last record."""
        ...


class PublishedFacts:
    """Publishes `form` and `system`."""

    def __init__(
        self, paths: Paths, publisher: Publisher, access: Access, audit: AnchoredAuditLog, version_tag: str
    ) -> None:
        self._paths = paths
        self._publisher = publisher
        self._access = access
        self._audit = audit
        self._version_tag = version_tag
        self._anchored = -1

    def publish(self) -> None:
        """Both snapshots; the end of the audit log also goes to the journal whenever it moved.

        `form`: config.form.form_model() plus values {key: text} without secrets, secrets_set [keys that have one],
        problem. `system`: provisioned, users (count), version, paper, audit {seq, hash}, problem ("" = none)."""
        config, problem = self._config()
        seq, line_hash = self._audit.head()
        system: dict[str, Any] = {
            "provisioned": self._access.open() is not None,
            "users": self._access.count(),
            "version": self._version_tag,
            "paper": not config.broker.live,
            "audit": {"seq": seq, "hash": line_hash},
            "problem": problem,
        }
        self._publisher.publish("form", self._form(config, problem), EXPIRES_AFTER)
        self._publisher.publish("system", system, EXPIRES_AFTER)
        if seq != self._anchored:
            _log.info("audit head", extra={"fields": {"seq": seq, "hash": line_hash}})
            self._anchored = seq

    def _config(self) -> tuple[ParsedConfig, str]:
        """The stored configuration, else that of a new installation, and what is wrong with the stored one."""
        try:
            return open_config(self._paths), ""
        except NotProvisioned:
            return default_config(self._version_tag), ""
        except TbotError as error:
            return default_config(self._version_tag), str(error)

    def _form(self, config: ParsedConfig, problem: str) -> dict[str, Any]:
        provisioned = current_number(self._paths) is not None
        return {
            **form_model(),
            "values": {spec.name: config.raw[spec.name] for spec in KEYS if not spec.secret},
            "secrets_set": [spec.name for spec in KEYS if spec.secret and provisioned and config.raw[spec.name]],
            "problem": problem,
        }
