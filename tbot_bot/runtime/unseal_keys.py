"""Fills `TBOT_KEYS_DIR` before the other processes start: `python -m tbot_bot.runtime.unseal_keys [options]`.

The keys come from a systemd credential (`tbot-keys`, and `tbot-keys-identity` when it is sealed), or from the file or
folder that --from names, such as a container's mounted secret. Only paths are given on the command line, never keys.
Done twice is done once."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tbot_bot.config.ephemeral import CREDENTIAL, IDENTITY_CREDENTIAL, Source, fill
from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths, root_from_environment
from tbot_bot.support.process import Process, run

log = get_logger("unseal-keys")


def source_from(options: argparse.Namespace, environment: Mapping[str, str]) -> Source:
    """What --from and --identity name, else the systemd credentials. Raises SecretUnavailable when there is neither."""
    folder = environment.get("CREDENTIALS_DIRECTORY", "")
    credentials = Path(folder) if folder else None
    bundle, identity = options.bundle, options.identity
    if bundle is None and credentials is not None and (credentials / CREDENTIAL).is_file():
        bundle = credentials / CREDENTIAL
    if identity is None and credentials is not None and (credentials / IDENTITY_CREDENTIAL).is_file():
        identity = credentials / IDENTITY_CREDENTIAL
    if bundle is None:
        raise SecretUnavailable(
            f"no keys were given: load the systemd credential {CREDENTIAL}, or name them with --from"
        )
    return Source(bundle, identity)


def unseal(_: Process) -> None:
    parser = argparse.ArgumentParser(prog="tbot_bot.runtime.unseal_keys")
    parser.add_argument("--from", dest="bundle", type=Path, help="exported keys, or a folder of <category>.key files")
    parser.add_argument("--identity", type=Path, help="file with the age identity that the export is sealed to")
    parser.add_argument("--allow-disk", action="store_true", help="accept a TBOT_KEYS_DIR that is not in memory")
    options = parser.parse_args()
    paths = Paths(root_from_environment())
    written = fill(paths, source_from(options, os.environ), allow_disk=options.allow_disk)
    log.info("the keys are in place", extra={"fields": {"written": written, "folder": str(paths.keys_outside)}})


if __name__ == "__main__":
    sys.exit(run("unseal-keys", unseal))
