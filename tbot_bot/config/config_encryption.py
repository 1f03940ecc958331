"""Splitting a configuration into the encrypted files of a generation, and putting it together again."""

import contextlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tbot_bot.config.env_file import parse_env_text
from tbot_bot.config.keys import Store
from tbot_bot.config.schema import BY_NAME, KEYS, keys_of
from tbot_bot.config.template import render_env, render_env_bot, stored_values
from tbot_bot.config.version import version_tag
from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.domain.settings import BrokerName
from tbot_bot.support.decrypt_secrets import GenerationFolder, with_generation
from tbot_bot.support.encrypt_secrets import SECRET_FILES, key_file, keys_in, write_secret
from tbot_bot.support.path_resolver import Paths

CATEGORY_OF: Mapping[Store, str] = {
    Store.BROKER: "broker",
    Store.IDENTITY: "bot_identity",
    Store.ALERTS: "alert_channels",
    Store.SCREENER: "screener_api",
    Store.NETWORK: "network_config",
}
"""Where each store's values are kept; `.env` and `.env_bot` are text files of their own."""

_NOTHING: Mapping[str, str] = {"BROKER_API_KEY": "", "BROKER_SECRET_KEY": "", "BOT_ID": ""}

_TEXT_CATEGORIES = frozenset({"env_enc", "env_bot"})


@dataclass(frozen=True, slots=True)
class Stored:
    """A configuration as it lies encrypted: `.env_bot` text and the values of all other stores."""

    env_bot: str = field(repr=False)
    others: Mapping[str, str] = field(repr=False)


def write_secrets(generation: Path, raw: Mapping[str, str]) -> None:
    """The JSON categories of a staged generation; those without settings yet hold an empty object."""
    values = {category: stored_values(raw, store) for store, category in CATEGORY_OF.items()}
    for category in SECRET_FILES:
        if category not in _TEXT_CATEGORIES:
            _write(generation, category, json.dumps(values.get(category, {}), sort_keys=True))


def write_env_files(generation: Path, raw: Mapping[str, str]) -> None:
    """`.env.enc` and `.env_bot.enc` of a staged generation."""
    _write(generation, "env_enc", render_env(raw))
    _write(generation, "env_bot", render_env_bot(raw))


def read_stored(paths: Paths) -> Stored:
    """The stored configuration as text. Raises NotProvisioned or SecretUnavailable."""
    return with_generation(paths, stored_in, "read the settings")


def raw_values(folder: GenerationFolder) -> dict[str, str]:
    """The text of every key that is stored, checked or not. Raises SecretUnavailable naming what cannot be read."""
    stored = stored_in(folder)
    return {**stored.others, **parse_env_text(stored.env_bot).values}


def readable_values(paths: Paths) -> dict[str, str]:
    """The same of the categories that can be read, for a configuration that is to be put right. Raises
    NotProvisioned."""

    def read(folder: GenerationFolder) -> dict[str, str]:
        found: dict[str, str] = {}
        for category in ("env_enc", "env_bot", *CATEGORY_OF.values()):
            with contextlib.suppress(SecretUnavailable, FileNotFoundError):
                text = folder.decrypt(category).decode()
                found.update(parse_env_text(text).values if category in _TEXT_CATEGORIES else json.loads(text))
        return found

    return with_generation(paths, read, "read the settings")


def secret_names(paths: Paths, category: str) -> tuple[str, ...]:
    """The names of the secrets that `category` holds a value of. Raises SecretUnavailable when it cannot be read."""
    if category not in SECRET_FILES:
        return ()
    text = with_generation(paths, lambda folder: folder.decrypt(category), "overview of keys")
    stores = [store for store, name in CATEGORY_OF.items() if name == category]
    values = json.loads(text) if stores else {}
    return tuple(spec.name for store in stores for spec in keys_of(store) if spec.secret and values.get(spec.name))


def merge_kept(values: Mapping[str, object], kept: Mapping[str, str]) -> dict[str, object]:
    """`values` from the form, with the secrets left empty filled from `kept`: the form never shows a secret.

    A broker's credentials are not carried over to another broker."""
    merged = dict(values)
    same_broker = values.get("BROKER_NAME", kept.get("BROKER_NAME")) == kept.get("BROKER_NAME")
    for spec in KEYS:
        carried = spec.secret and (same_broker or spec.store is not Store.BROKER)
        if (carried or spec.store is Store.IDENTITY) and not merged.get(spec.name):
            merged[spec.name] = kept.get(spec.name, spec.default)
    return merged


def complete(raw: Mapping[str, str]) -> dict[str, str]:
    """`raw` with what the runner makes itself: credentials of the paper venue, and a name for a nameless bot."""
    done = dict(raw)
    if done["BROKER_NAME"] == BrokerName.PAPER:
        done["BROKER_API_KEY"] = done["BROKER_API_KEY"] or f"PK{secrets.token_hex(10).upper()}"
        done["BROKER_SECRET_KEY"] = done["BROKER_SECRET_KEY"] or secrets.token_hex(20)
    if done["BOT_ID"] == BY_NAME["BOT_ID"].default:
        done["BOT_ID"] = f"TB{secrets.token_hex(4).upper()}"
    return done


def blank_text(category: str, text: str | None, folder: GenerationFolder) -> str:
    """The category's text without its secret values, which are to be entered again; defaults where it is lost (None).

    The paper venue's credentials are made anew, for nobody enters them. With `.env_bot` lost, trading is blocked."""
    if category == "env_bot":
        lost = {"DISABLE_ALL_TRADES": "true", "VERSION_TAG": version_tag()}
        return render_env_bot(lost) if text is None else text
    if category == "env_enc":
        return render_env({}) if text is None else text
    known: Mapping[str, str] = {} if text is None else json.loads(text)
    kept = {
        spec.name: "" if spec.secret else known.get(spec.name, spec.default)
        for store, name in CATEGORY_OF.items()
        if name == category
        for spec in keys_of(store)
    }
    made = complete({**_NOTHING, **kept, "BROKER_NAME": _broker_of(folder)})
    return json.dumps({name: made[name] for name in kept}, sort_keys=True)


def _broker_of(folder: GenerationFolder) -> str:
    """BROKER_NAME as stored; "" when the settings cannot be read."""
    try:
        return parse_env_text(folder.decrypt("env_bot").decode()).values.get("BROKER_NAME", "")
    except (SecretUnavailable, FileNotFoundError):
        return ""


def _write(generation: Path, category: str, text: str) -> None:
    keys = keys_in((generation / "keys" / key_file(category)).read_bytes())
    write_secret(generation / "secrets", category, keys[0], text.encode())


def stored_in(folder: GenerationFolder) -> Stored:
    """The configuration of an open generation. Raises SecretUnavailable."""
    others = dict(parse_env_text(folder.decrypt("env_enc").decode()).values)
    for category in CATEGORY_OF.values():
        others.update({str(key): str(value) for key, value in folder.decrypt_json(category).items()})
    return Stored(env_bot=folder.decrypt("env_bot").decode(), others=others)
