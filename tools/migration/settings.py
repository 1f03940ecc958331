"""Settings of an earlier release as this one wants them: keys added or renamed, and VERSION_TAG; a new generation.

Renamed keys are the schema's aliases. Values that this release refuses stay as they are, and the upgrade fails."""

from dataclasses import replace

from tbot_bot.accounting.store import create as create_ledger
from tbot_bot.config import generations
from tbot_bot.config.checkpoint import read_checkpoint
from tbot_bot.config.config_encryption import read_stored
from tbot_bot.config.env_bot import load, require
from tbot_bot.config.env_file import parse_env_text
from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.config.passwords import BCRYPT_COST
from tbot_bot.config.progress import Progress
from tbot_bot.config.provisioning_helper import TITLES, Provisioning, Tools
from tbot_bot.config.security_bot import register_secrets
from tbot_bot.config.version import version_tag
from tbot_bot.domain.errors import BuildCheckFailed
from tbot_bot.ports.clock import Clock
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.runtime.provisioning import open_audit
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher
from tbot_bot.support.state_file import StateFile
from tools.migration.record import read_record, write_record

ACTOR = "upgrade"


def refresh(paths: Paths, clock: Clock) -> bool:
    """Whether a generation had to be made. Nobody else works on the keys meanwhile.

    Raises ConfigInvalid naming what this release refuses, or BuildCheckFailed when saving failed."""
    if generations.current_number(paths) is None or paths.keys_outside is not None:
        return False
    if read_checkpoint(paths) is not None:
        # Interrupted work is the runner's to finish; it does so with these settings, and saving comes after.
        raise BuildCheckFailed("A rotation or a save was interrupted: start the earlier release once, then upgrade.")
    wanted = _wanted(paths)
    if wanted is None:
        return False
    before, made = generations.current_number(paths) or 0, generations.next_number(paths)
    write_record(paths, replace(read_record(paths), settings_from=before, settings_made=made))
    register_secrets(wanted)
    if not _provisioning(paths, clock, open_audit(paths)).run(wanted, ACTOR, ""):
        raise BuildCheckFailed("The settings could not be brought to this release; the lines above say where.")
    return True


def undo(paths: Paths) -> bool:
    """Back to the generation before `refresh`, unless settings were saved since; whether there was one."""
    record = read_record(paths)
    number, made = record.settings_from, record.settings_made
    there = made != 0 and generations.current_number(paths) == made and generations.is_sealed(paths, number)
    if there:
        generations.activate(paths, number)
    write_record(paths, replace(record, settings_from=0, settings_made=0))
    return there


def _wanted(paths: Paths) -> ParsedConfig | None:
    """The stored values in this release's form; None when they have it."""
    stored = read_stored(paths)
    if isinstance(load(stored.env_bot, version_tag(), stored.others), ParsedConfig):
        return None
    read = parse_env_text(stored.env_bot)
    values = {**stored.others, **read.values, "VERSION_TAG": version_tag()}
    return require(read.faults or parse(values, version_tag()))


def _provisioning(paths: Paths, clock: Clock, audit: AuditWriter) -> Provisioning:
    progress = Progress(Publisher(paths, "runner", clock), TITLES)
    state = StateFile(paths, clock)
    tools = Tools(paths, clock, state, audit, progress, lambda: create_ledger(paths.ledger_db), BCRYPT_COST)
    return Provisioning(tools)
