"""The one place that names paths: all state lives below one root, laid out as the requirements write it."""

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

ROOT_VARIABLE = "TBOT_ROOT"
KEYS_VARIABLE = "TBOT_KEYS_DIR"
CODE_ROOT = Path(__file__).resolve().parent.parent.parent


def root_from_environment() -> Path:
    """`TBOT_ROOT`, else the checkout itself."""
    value = os.environ.get(ROOT_VARIABLE, "")
    return Path(value).resolve() if value else CODE_ROOT


@dataclass(frozen=True, slots=True)
class Paths:
    """Absolute paths of everything tbot reads or writes below `root`."""

    root: Path

    @property
    def layout_record(self) -> Path:
        """Which layout of these folders is in use, for upgrades."""
        return self.root / "layout.json"

    # control plane
    @property
    def control(self) -> Path:
        return self.root / "control"

    @property
    def bot_state(self) -> Path:
        return self.control / "bot_state.txt"

    @property
    def state_log(self) -> Path:
        return self.control / "state_log.jsonl"

    @property
    def state_lock(self) -> Path:
        return self.control / ".state.lock"

    @property
    def requests(self) -> Path:
        return self.control / "requests"

    @property
    def replies(self) -> Path:
        return self.control / "replies"

    @property
    def sessions(self) -> Path:
        return self.control / "sessions"

    @property
    def published(self) -> Path:
        return self.control / "published"

    @property
    def jobs(self) -> Path:
        return self.control / "jobs"

    @property
    def runner_public_key(self) -> Path:
        """In a folder that only the runner writes: who could replace it could read what is sealed to the runner."""
        return self.control / "public" / "runner.pub"

    @property
    def provision_flag(self) -> Path:
        return self.requests / "PROVISION_FLAG"

    @property
    def stop_flag(self) -> Path:
        return self.requests / "control_stop.flag"

    @property
    def kill_flag(self) -> Path:
        return self.requests / "control_kill.flag"

    @property
    def start_flag(self) -> Path:
        return self.control / "control_start.flag"

    # secrets and users: the runner's
    @property
    def storage(self) -> Path:
        return self.root / "tbot_bot" / "storage"

    @property
    def generations(self) -> Path:
        return self.storage / "gen"

    @property
    def current_generation(self) -> Path:
        return self.storage / "current"

    @property
    def keys(self) -> Path:
        return self.storage / "keys"

    @property
    def keys_outside(self) -> Path | None:
        """`TBOT_KEYS_DIR`, the folder in memory that holds this root's keys instead of its generations; None without.

        It belongs to the root that the process runs on, not to a scratch root that it may look into."""
        value = os.environ.get(KEYS_VARIABLE, "")
        return Path(value) if value and self.root == root_from_environment() else None

    @property
    def secrets(self) -> Path:
        return self.storage / "secrets"

    @property
    def runner_private(self) -> Path:
        return self.storage / "runner"

    @property
    def audit_log(self) -> Path:
        return self.storage / "audit" / "audit.jsonl"

    @property
    def audit_inbox(self) -> Path:
        return self.storage / "audit" / "inbox"

    @property
    def backups(self) -> Path:
        return self.storage / "backups"

    @property
    def recovery(self) -> Path:
        """Public facts about the offline recovery key, and what the backup process works with."""
        return self.storage / "recovery"

    @property
    def before_restore(self) -> Path:
        """What a restore replaced, one folder each."""
        return self.storage / "before-restore"

    @property
    def restore_work(self) -> Path:
        """Files of a restore under way; empty otherwise."""
        return self.storage / "restore"

    @property
    def exports(self) -> Path:
        """Sealed copies of the keys, made for deployments that hold none."""
        return self.storage / "export"

    @property
    def env_enc(self) -> Path:
        return self.root / ".env.enc"

    @property
    def users_db(self) -> Path:
        return self.root / "tbot_bot" / "core" / "databases" / "SYSTEM_USERS.db"

    @property
    def ledger_db(self) -> Path:
        """In a folder of its own: who keeps the books writes there, and could remove what else lay in it."""
        return self.root / "tbot_bot" / "core" / "databases" / "ledger" / "LEDGER.db"

    # output: the bot's
    @property
    def output(self) -> Path:
        return self.root / "output"

    @property
    def universe(self) -> Path:
        return self.output / "cache" / "symbol_universe.json"

    @property
    def blocklist(self) -> Path:
        """Symbols never to trade, one a line; the operator's own file."""
        return self.output / "blocklist.txt"

    @property
    def figures(self) -> Path:
        return self.output / "figures"

    @property
    def private(self) -> Path:
        """The bot's own claims and day state; no one else reads it."""
        return self.output / "bot"

    @property
    def routes(self) -> Path:
        """Which broker each order went to, where there is a secondary one."""
        return self.private / "routes.jsonl"

    @property
    def api_logs(self) -> Path:
        """What was said to the broker and what it answered, JSON lines, a file a day."""
        return self.private / "api"

    @property
    def unresolved_orders(self) -> Path:
        return self.output / "unresolved_orders.log"

    @property
    def alerts_log(self) -> Path:
        """Every alert of the bot, JSON lines."""
        return self.output / "alerts.jsonl"

    @property
    def backtest_results(self) -> Path:
        return self.root / "backtest_results"

    @property
    def paper(self) -> Path:
        return self.output / "paper"

    @property
    def journals(self) -> Path:
        return self.output / "journal"

    @property
    def session_folders(self) -> Path:
        return self.output / "sessions"

    def journal(self, session: date) -> Path:
        """Order journal of one session, JSON lines."""
        return self.journals / f"{session.isoformat()}.jsonl"

    def session_folder(self, session: date) -> Path:
        """Summary, trade history and decisions of one session."""
        return self.session_folders / session.isoformat()

    def snapshot(self, name: str) -> Path:
        return self.published / f"{name}.json"

    def job_folder(self, kind: str) -> Path:
        return self.jobs / kind
