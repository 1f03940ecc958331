"""The provisioning runner's process: wires the runner to the ledger and the audit log, which it may not import."""

import sys

from tbot_bot.accounting.store import create as create_ledger
from tbot_bot.backup.desk import backup_desk
from tbot_bot.backup.shelf import shelf_facts
from tbot_bot.backup.swap import resume_swaps
from tbot_bot.config.audit_desk import AuditDesk
from tbot_bot.config.audit_watch import AuditWatch
from tbot_bot.config.build_check import check
from tbot_bot.config.passwords import BCRYPT_COST
from tbot_bot.config.provisioning_runner import ProvisioningRunner
from tbot_bot.config.readiness import readiness
from tbot_bot.config.startup import require_no_plaintext
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.reporting.audit_trail import AuditTrail
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.key_use import KEY_USE
from tbot_bot.support.path_resolver import Paths, root_from_environment
from tbot_bot.support.process import Process, run
from tbot_bot.support.snapshot import Publisher
from tbot_bot.support.state_file import StateFile

STARTING_SECONDS = 600.0
"""Put back what a crash interrupted, and read the audit log's end; a large restore is the longest of it."""


def build_runner(
    paths: Paths, bcrypt_cost: int = BCRYPT_COST, audit: AuditWriter | None = None, watch: AuditWatch | None = None
) -> ProvisioningRunner:
    """The runner of one root. Raises what its parts raise when what is on disk cannot be worked with."""
    clock = SystemClock()
    audit = audit or open_audit(paths)
    reader = watch or AuditWatch(AuditTrail(paths), audit)
    if not paths.generations.exists():
        StateFile(paths, clock).initialize("runner")
    return ProvisioningRunner(
        paths,
        clock,
        create_ledger=lambda: create_ledger(paths.ledger_db),
        audit=audit,
        publisher=Publisher(paths, "runner", clock),
        build_check=lambda: (*check(paths), *readiness(paths, clock.now(), lambda: reader.problem)),
        bcrypt_cost=bcrypt_cost,
        more=(lambda tools, _: AuditDesk(reader, tools.audit).kinds(), backup_desk(audit)),
        audit_problem=lambda: reader.problem,
        more_facts=lambda: {"shelf": shelf_facts(paths)},
    )


def open_audit(paths: Paths) -> AuditWriter:
    """The audit log, once a restore that a crash interrupted has put its files in place."""
    resume_swaps(paths)
    return AuditWriter(paths, SystemClock())


def serve(process: Process) -> None:
    paths = Paths(root_from_environment())
    with process.notify.patient(STARTING_SECONDS):
        require_no_plaintext(paths)
        audit = open_audit(paths)
    KEY_USE.attach("runner", audit)
    watch = AuditWatch(AuditTrail(paths), audit)
    watch.start(process.stop)
    build_runner(paths, audit=audit, watch=watch).run(process.stop, process.notify)


if __name__ == "__main__":
    sys.exit(run("provisioning", serve))
