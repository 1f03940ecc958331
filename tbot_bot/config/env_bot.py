"""Loading the decrypted bot configuration at run time, and the configuration of a new installation."""

from collections.abc import Iterable, Mapping

from tbot_bot.config.env_file import parse_env_text
from tbot_bot.config.faults import Fault, Faults, fault_of
from tbot_bot.config.keys import Store
from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.config.schema import KEYS, keys_of
from tbot_bot.domain.errors import ConfigInvalid


def load(text: str, version_tag: str, others: Mapping[str, object] | None = None) -> ParsedConfig | Faults:
    """The configuration from `.env_bot` text and the values of the other stores (`.env`, the secrets' categories).

    Every key of the seeds must be in `text`: a file with holes is refused, not filled up. Keys that `text` and
    `others` both hold must agree. Never raises on bad input."""
    read = parse_env_text(text)
    merged: dict[str, object] = dict(others or {})
    faults = [*read.faults]
    faults += [
        fault_of(spec, "", "is missing from .env_bot: save the configuration again")
        for spec in keys_of(Store.ENV_BOT)
        if spec.required and spec.name not in read.values
    ]
    for spec in KEYS:
        value = read.values.get(spec.name)
        if value is None:
            continue
        if merged.setdefault(spec.name, value) != value:
            faults.append(fault_of(spec, value, "differs between .env_bot and where it is kept: save it again"))
    parsed = parse(merged, version_tag)
    if isinstance(parsed, ParsedConfig):
        return tuple(faults) if faults else parsed
    return (*faults, *parsed)


def require(parsed: ParsedConfig | Faults) -> ParsedConfig:
    """The configuration, or ConfigInvalid naming every fault; for processes that cannot go on without one."""
    if isinstance(parsed, ParsedConfig):
        return parsed
    raise ConfigInvalid(summary(parsed))


def summary(faults: Iterable[Fault]) -> str:
    """All faults in one text, one a line, without secrets."""
    return "the configuration is not valid:\n" + "\n".join(f"- {fault}" for fault in faults)


def default_config(version_tag: str) -> ParsedConfig:
    """What a new installation starts with: the paper venue and the seeds' values."""
    return require(parse({}, version_tag))
