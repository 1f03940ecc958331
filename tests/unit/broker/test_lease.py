import socket
import subprocess
import sys

import pytest

from tbot_bot.broker.lease import AccountLease
from tbot_bot.domain.errors import AlreadyRunning
from tbot_bot.support.path_resolver import CODE_ROOT

_TRY = """
from tbot_bot.broker.lease import AccountLease
from tbot_bot.domain.errors import AlreadyRunning
import sys, time
try:
    AccountLease("PAPER", "LEASED").take()
except AlreadyRunning as error:
    sys.exit(str(error))
print("taken", flush=True)
time.sleep(float(sys.argv[1]))
"""


def other(seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _TRY, str(seconds)],
        cwd=CODE_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_account_has_one_writer_until_it_ends_however_it_ends() -> None:
    first = other(60)
    assert first.stdout is not None
    assert first.stdout.readline() == "taken\n"
    with pytest.raises(AlreadyRunning, match="another tbot"):
        AccountLease("PAPER", "LEASED").take()
    AccountLease("PAPER", "ANOTHER").take()
    first.kill()
    first.communicate()
    lease = AccountLease("PAPER", "LEASED")
    lease.take()
    refused = other(0)
    assert "another tbot" in refused.communicate()[1]
    lease.release()


def test_a_process_may_open_its_account_anew_before_it_closes_what_it_had() -> None:
    old, new = AccountLease("PAPER", "RENEWED"), AccountLease("PAPER", "RENEWED")
    old.take()
    new.take()
    old.release()
    old.release()
    with pytest.raises(OSError, match="in use"):
        _bind_again(new)
    new.release()


def _bind_again(lease: AccountLease) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        probe.bind(lease._name)
