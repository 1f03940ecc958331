"""The one tree of errors. Each class's docstring tells the operator what to do; each has an exit code.

TbotError
├── ConfigInvalid            78  a configuration value is wrong
├── AlreadyRunning           71  another process does this on the same root
├── NotProvisioned           69  the runner has not finished first provisioning
├── StateCorrupt             65  a control file is missing or unreadable
│   └── IllegalTransition    70  a state change that the table does not allow
├── SecretUnavailable        77  a key or secret is missing, damaged or not ours to read
├── RequestRefused           76  a sealed request is forged, stale, replayed or not allowed
├── AuditUnavailable         74  an act could not be recorded, so it was not done
├── LedgerRefused            73  a booking would break the books
├── BackupRefused            65  a backup file is not what tbot made, or cannot be used here
├── BuildCheckFailed         78  the installation is not fit to open a session
├── UniverseUnusable         71  no valid symbol universe
├── DataInvalid              65  market data that cannot be read
└── BrokerError              75
    ├── BrokerUnavailable    75  no answer, and nothing was asked to change
    ├── BrokerDenied         77  the credentials are refused
    ├── OrderRefused         72  the broker said no to this order
    └── OrderFateUnknown     75  sent, and no clear answer came back
"""


class TbotError(Exception):
    """Read the message: it says what happened, what is safe and what to do."""

    exit_code = 70


class ConfigInvalid(TbotError):
    """Correct the named keys on the configuration page; nothing was saved."""

    exit_code = 78


class AlreadyRunning(TbotError):
    """Two of a kind on one root would act twice: stop the other one first."""

    exit_code = 71


class NotProvisioned(TbotError):
    """Open the web page and finish the configuration; the process waits until then."""

    exit_code = 69


class StateCorrupt(TbotError):
    """New entries are halted. Compare `control/bot_state.txt` with `control/state_log.jsonl`, then start again."""

    exit_code = 65


class IllegalTransition(StateCorrupt):
    """Another process moved the state first, or the move does not exist; nothing was written."""

    exit_code = 70


class SecretUnavailable(TbotError):
    """Run the build check; restore keys and secrets from a backup or provision again. Nothing was overwritten."""

    exit_code = 77


class PlaintextFound(TbotError):
    """Nothing was started. Delete or close the files that the message names; what they hold is stored encrypted."""

    exit_code = 78


class RequestRefused(TbotError):
    """The request was moved aside and audited. Repeat it; look at the audit log if you did not make it."""

    exit_code = 76


class AuditUnavailable(TbotError):
    """Free disk space or repair `storage/audit`; acts other than stop and kill are refused until then."""

    exit_code = 74


class LedgerRefused(TbotError):
    """The books were left as they were. The message names the entry and the rule it breaks."""

    exit_code = 73


class BackupRefused(TbotError):
    """Nothing was changed. Choose another backup, or the recovery key that this one was made for."""

    exit_code = 65


class BuildCheckFailed(TbotError):
    """No session was opened. Repair what the message lists (`python -m tools.build_check` lists it too)."""

    exit_code = 78


class UniverseUnusable(TbotError):
    """Build the universe again from the web page; no trading happens without one."""

    exit_code = 71


class DataInvalid(TbotError):
    """The message names the file, the column or the row; correct it and try again."""

    exit_code = 65


class BrokerError(TbotError):
    """The broker could not be used as asked."""

    exit_code = 75


class BrokerUnavailable(BrokerError):
    """No usable answer to a question; asking again is safe and happens by itself."""


class BrokerDenied(BrokerError):
    """The broker refuses the credentials: enter them again on the configuration page."""

    exit_code = 77


class OrderRefused(BrokerError):
    """The broker refused the order; `reason` holds its words. No position was opened by it."""

    exit_code = 72

    def __init__(self, client_id: str, reason: str, code: str = "") -> None:
        super().__init__(f"order {client_id} was refused: {reason}")
        self.client_id = client_id
        self.reason = reason
        self.code = code


class OrderFateUnknown(BrokerError):
    """The order may or may not live at the broker: it is asked for by id until known, and never sent again blind."""

    def __init__(self, client_id: str) -> None:
        super().__init__(f"the fate of order {client_id} is unknown")
        self.client_id = client_id
