"""What admins ask about keys: which there are, new ones, what to do after a loss or a theft, destroying old ones."""

from collections.abc import Mapping
from typing import Any

from tbot_bot.config import generations
from tbot_bot.config.config_encryption import CATEGORY_OF, secret_names
from tbot_bot.config.desk_kind import Kind, Kinds, Lane, Outcome, done, fault, name_of, refused, text_of
from tbot_bot.config.grace import Grace
from tbot_bot.config.provisioning_helper import Tools
from tbot_bot.config.rotation import Asked, Rotation, all_or
from tbot_bot.config.schema import BY_NAME, keys_of
from tbot_bot.config.security_users import User
from tbot_bot.config.steps import FAILURES, Failure, words
from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.support.encrypt_secrets import CATEGORIES
from tbot_bot.support.envelope import Reply, Request

_WHAT = ("lost", "compromised")
_LAST_WORDS: Mapping[str, str] = {
    "login": "Whoever had login.key and the user database can guess passwords at leisure. Have every user set a new"
    " password and enrol their codes anew; nobody is locked out meanwhile.",
    "session": "Every login has ended, yours too. Log in again.",
    "env": "Nothing is kept under this key now.",
    "env_enc": "The logins' time limits and the folder layout are no secrets. Look whether someone changed them.",
    "env_bot": "The settings are no secrets, but they show how you trade. Look whether someone changed them.",
    "broker": "A broker key that leaked still works at the broker. Make a new one there, delete the old one there, and"
    " enter the new one on the configuration page. Look at the broker's own list of orders too.",
    "smtp": "A mail password that leaked still works at the mail server. Change it there.",
    "screener_api": "A provider key that leaked still works at the provider. Make a new one there and enter it here.",
    "acct_api": "An accounting key that leaked still works at that service. Make a new one there.",
    "network_config": "Keys to the off-site storage that leaked still work there. Make new ones there and enter them"
    " here. The backups there stay encrypted to your recovery key.",
    "alert_channels": "An alert address that leaked can still be written to. Make new tokens at each service and enter"
    " the new addresses here.",
    "bot_identity": "The bot's name is no secret; nothing has to be revoked elsewhere.",
}
"""What new keys do not undo, in the words of the page."""

_IN_BACKUPS = (
    "Backups made before still hold the old key and what it opened, for whoever has the recovery key. If that may have"
    " been seen too, delete them and back up anew."
)

_LOST: Mapping[str, str] = {
    "env_enc": "The installation's settings are back at their defaults.",
    "env_bot": "The trading settings are back at their defaults, and trading is blocked (DISABLE_ALL_TRADES) until you"
    " have looked at them and saved.",
    "bot_identity": "The bot has a new name. Enter the earlier one if orders of it are still open: it is part of every"
    " client order id.",
}


class KeysDesk:
    """Answers `keys`, `rotate`, `compromised` and `destroy_old`; each is on record before it is done."""

    def __init__(self, tools: Tools, rotation: Rotation, grace: Grace) -> None:
        self._paths = tools.paths
        self._audit = tools.audit
        self._rotation = rotation
        self._grace = grace

    def kinds(self) -> Kinds:
        return {
            "keys": Kind(self._keys),
            "rotate": Kind(self._rotate, Lane.WORK, facts=True, alone=True),
            "compromised": Kind(self._compromised, Lane.WORK, facts=True, alone=True),
            "destroy_old": Kind(self._destroy_old, Lane.WORK, facts=True, alone=True),
        }

    def _keys(self, request: Request, user: User | None) -> Outcome:
        number = generations.current_number(self._paths)
        if number is None:
            return Outcome(_NO_KEYS)
        facts = generations.read_facts(self._paths, number)
        holding = {category for category in CATEGORIES if self._secret_names(category)}
        body = {
            "generation": number,
            "created_at": facts.created_at.isoformat(),
            "external": self._paths.keys_outside is not None,
            "categories": [
                {
                    "category": key.category,
                    "made_at": key.made_at,
                    "fingerprint": key.fingerprint,
                    "secrets": key.category in holding,
                }
                for key in facts.keys
            ],
            "old": [
                {
                    "number": old.number,
                    "replaced_at": old.replaced_at.isoformat(),
                    "destroyed_at": old.destroyed_at.isoformat(),
                }
                for old in self._grace.old()
            ],
            "grace_hours": self._grace.hours,
        }
        return done(body=body)

    def _rotate(self, request: Request, user: User | None) -> Outcome:
        wanted = request.body.get("categories")
        named = [name for name in wanted if isinstance(name, str)] if isinstance(wanted, list) else []
        unknown = sorted(set(named) - {*CATEGORIES, "all"})
        if not named or unknown:
            words_ = f"There is no category {unknown[0][:40]}." if unknown else "Choose at least one category."
            return Outcome(refused("invalid", words_, (fault("categories", words_),)))
        failure = self._rotation.run(Asked(all_or(named), "asked", name_of(user), request.ip))
        return Outcome(_not_changed(failure)) if failure is not None else self._rotated({})

    def _compromised(self, request: Request, user: User | None) -> Outcome:
        category, what = text_of(request, "category"), text_of(request, "what")
        faults = []
        if category not in CATEGORIES:
            faults.append(fault("category", "one of the categories on this page"))
        if what not in _WHAT:
            faults.append(fault("what", "lost or compromised"))
        if faults:
            return Outcome(refused("invalid", "Say which category, and whether it is lost or compromised.", (*faults,)))
        by = name_of(user)
        self._audit.record(f"key_{what}", by, {"category": category, "ip": request.ip})
        held = self._secret_names(category)
        failure = self._rotation.run(Asked((category,), what, by, request.ip))
        if failure is not None:
            return Outcome(_not_changed(failure))
        left = self._secret_names(category) or ()
        gone = _all_of(category) if held is None else [name for name in held if name not in left]
        notes = [_LAST_WORDS[category], *([_IN_BACKUPS] if what == "compromised" else [])]
        if held is None and category in _LOST:
            notes.insert(0, _LOST[category])
        notes += self._destroyed_now(what, by, request.ip)
        ask_again = [{"key": name, "label": BY_NAME[name].label} for name in gone]
        return self._rotated({"ask_again": ask_again, "notes": notes})

    def _destroyed_now(self, what: str, by: str, ip: str) -> list[str]:
        """What is left to say about the older generations, which hold the key that nobody may have any more."""
        try:
            self._grace.destroy_all(what, by, ip)
        except FAILURES as error:
            return [f"The older generations could not be destroyed ({words(error)}). Destroy them on this page."]
        return []

    def _destroy_old(self, request: Request, user: User | None) -> Outcome:
        destroyed = self._grace.destroy_all("asked", name_of(user), request.ip)
        return done(body={"destroyed": list(destroyed)})

    def _rotated(self, body: dict[str, Any]) -> Outcome:
        return done(body={"generation": generations.current_number(self._paths), **body})

    def _secret_names(self, category: str) -> tuple[str, ...] | None:
        """The names of the category's secrets that hold something; None when they cannot be read."""
        try:
            return secret_names(self._paths, category)
        except SecretUnavailable:
            return None


_NO_KEYS = refused("not_provisioned", "Save a configuration first; then there are keys.")


def _not_changed(failure: Failure) -> Reply:
    also = f" Taking it back failed as well ({failure.also}); restart the runner." if failure.also else ""
    return refused("failed", f"The keys were not changed: {failure.why}.{also}")


def _all_of(category: str) -> list[str]:
    """Everything that is kept in a category of which nothing could be read."""
    stores = [store for store, name in CATEGORY_OF.items() if name == category]
    return [spec.name for store in stores for spec in keys_of(store)]
