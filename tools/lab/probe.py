"""What a process of tbot could do if it were taken over: tried as its user, and inside its unit's own sandbox."""

import json
import re
import secrets
from collections.abc import Sequence

from tools.installer.layout import PREFIX
from tools.lab.lab import Lab

_PYTHON = f"{PREFIX}/current/venv/bin/python"
_MODULE = "tools.lab.attempts"
_NOT_OURS = re.compile(
    r"(Exec(Start|Stop|Reload|Condition)\w*|Type|Restart\w*|WatchdogSec|NotifyAccess|Sockets|TimeoutStart\w*|Success\w*)="
)
_UNITS = "/usr/local/lib/systemd/system"


def try_as_user(lab: Lab, user: str, attempts: Sequence[str]) -> dict[str, str]:
    """With the rights of files alone. Raises OSError when nothing could be tried."""
    done = lab.run(_PYTHON, "-m", _MODULE, *attempts, user=user, folder=f"{PREFIX}/current")
    return _outcomes(done.output)


def try_in_sandbox(lab: Lab, unit: str, attempts: Sequence[str]) -> dict[str, str]:
    """In a unit that is `unit` but for the command it runs: the same users, mounts, filters and limits."""
    name = f"attempt-{secrets.token_hex(4)}"
    report = lab.path(f"/run/{name}.json")
    lab.path(f"/run/systemd/system/{name}.service").write_text(_probe_unit(lab, unit, name, attempts))
    lab.systemctl("daemon-reload")
    done = lab.systemctl("start", f"{name}.service")
    if done.code or not report.exists():
        raise OSError(f"{unit} as {name} did not run: {lab.run('journalctl', '-u', name, '-n', '20').output}")
    return _outcomes(report.read_text())


def _probe_unit(lab: Lab, unit: str, name: str, attempts: Sequence[str]) -> str:
    text = lab.path(f"{_UNITS}/{unit}").read_text()
    section = text.partition("[Service]\n")[2].partition("\n[")[0]
    joined = re.sub(r"\\\n\s*", " ", section)
    kept = [line for line in joined.splitlines() if not _NOT_OURS.match(line)]
    words = " ".join(f'"{attempt}"' for attempt in attempts)
    ours = ["Type=oneshot", f"ExecStart={_PYTHON} -m {_MODULE} {words}", f"StandardOutput=file:/run/{name}.json"]
    return "\n".join(("[Service]", *kept, *ours, ""))


def _outcomes(text: str) -> dict[str, str]:
    """Of the last line. Raises OSError."""
    try:
        return dict(json.loads(text.strip().splitlines()[-1]))
    except (ValueError, IndexError) as error:
        raise OSError(f"nothing could be tried: {text[-500:]}") from error
