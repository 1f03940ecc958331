"""The provisioning runner's process: wires the runner to the ledger and the audit log, which it may not import."""

import signal
import sys
import threading

from tbot_bot.accounting.store import create as create_ledger
from tbot_bot.config.build_check import check
from tbot_bot.config.provisioning_runner import ProvisioningRunner
from tbot_bot.domain.errors import TbotError
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.logs import configure, get_logger
from tbot_bot.support.path_resolver import Paths, root_from_environment
from tbot_bot.support.sd_notify import SdNotify
from tbot_bot.support.snapshot import Publisher
from tbot_bot.support.state_file import StateFile

log = get_logger("runner")


def build_runner(paths: Paths) -> ProvisioningRunner:
    """The runner of one root. Raises what its parts raise when what is on disk cannot be worked with."""
    clock = SystemClock()
    if not paths.generations.exists():
        StateFile(paths, clock).initialize("runner")
    return ProvisioningRunner(
        paths,
        clock,
        create_ledger=lambda: create_ledger(paths.ledger_db),
        audit=AuditWriter(paths, clock),
        publisher=Publisher(paths, "runner", clock),
        build_check=lambda: check(paths),
    )


def main() -> int:
    configure("provisioning")
    notify = SdNotify()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        runner = build_runner(Paths(root_from_environment()))
        notify.ready()
        runner.run(stop, notify.beat)
    except TbotError as error:
        log.critical("the runner cannot work", extra={"fields": {"why": str(error)}})
        return error.exit_code
    except Exception:
        log.critical("the runner failed and will be restarted", exc_info=True)
        return 1
    finally:
        notify.stopping()
    return 0


if __name__ == "__main__":
    sys.exit(main())
