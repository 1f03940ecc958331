"""JSON lines on stdout, or entries of the journal; every known secret and every secret-looking field is replaced."""

import contextlib
import json
import logging
import re
import sys
import threading
import traceback
from collections import deque
from datetime import UTC, datetime
from typing import Any, TextIO

from tbot_bot.support import journal

REDACTED = "[redacted]"
_MIN_SECRET = 6
_NAMES = r"password|passwd|passphrase|secret|token|api_?-?key|access_?-?key|authorization|cookie|credential|signature"
_SECRET_FIELD = re.compile(rf"({_NAMES}|identity_text|recovery_codes?$|totp_code|challenge)", re.IGNORECASE)
_SECRET_TEXT = re.compile(rf"((?:{_NAMES})[\"']?\s*[=:]\s*[\"']?)((?:basic|bearer)\s+)?([^\s\"'&,;]+)", re.IGNORECASE)
_SHAPES = re.compile(
    "|".join(
        (
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)",
            r"(?i:AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]*)(?:[\s-]+[0-9A-Z]{4,8}\b)*",  # also as it is shown, in groups
            r"(?i:\b(?:basic|bearer)\s+)[A-Za-z0-9+/._~-]{12,}=*",
            r"(?<=://)[^\s/@\"'<>]*:[^\s/@\"'<>]*(?=@)",  # user:password@ in a URL
            r"(?<![\w-])gAAAAA[\w-]{20,}={0,2}",  # a Fernet token
            # 32 random bytes as base64: a Fernet key, a device cookie. Mixed, or it would be a name or a digest.
            r"(?<![\w-])(?=[\w-]*[0-9])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{43}=?(?![\w=-])",
            r"(?<!\w)(?=[A-Z2-7]*[2-7])[A-Z2-7]{32}(?!\w)",  # a TOTP secret
        )
    ),
    re.DOTALL,
)
"""What a secret looks like, whoever wrote it and whether or not anyone registered it."""

_FINGERPRINT = re.compile(r"#[0-9a-f]{8}")

_secrets: set[str] = set()
_lock = threading.Lock()


def add_secret(value: str) -> None:
    """From now on `value` is replaced wherever it would be logged. Values under 6 characters are not worth hiding."""
    if len(value) >= _MIN_SECRET:
        with _lock:
            _secrets.add(value)


def hide_known(text: str) -> str:
    """`text`, plain or JSON, without known secret values."""
    with _lock:
        known = sorted(_secrets, key=len, reverse=True)
    for secret in known:
        for form in {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}:
            text = text.replace(form, REDACTED)
    return text


def redact(text: str) -> str:
    """`text` without known secret values, without what follows a secret's name, without what looks like a secret.

    The result can be written anywhere: half of a surrogate pair, which no encoding takes, becomes an escape."""
    text = hide_known(text.encode("utf-8", "backslashreplace").decode())
    text = _SHAPES.sub(REDACTED, text)
    return _SECRET_TEXT.sub(rf"\1{REDACTED}", text)


def redact_tree(value: Any, name: str = "") -> Any:
    """A JSON value without secrets, of the same shape. Under a secret's name (also in lists) only the short keyed
    fingerprints of configuration changes are left."""
    if isinstance(value, dict):
        return {redact(str(key)): redact_tree(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact_tree(inner, name) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    if _SECRET_FIELD.search(name) and text and not _FINGERPRINT.fullmatch(text):
        return REDACTED
    return redact(text)


def _clean(value: Any, key: str = "") -> Any:
    if key and _SECRET_FIELD.search(key) and value not in (None, "", False, True):
        return REDACTED
    if isinstance(value, dict):
        return {str(k): _clean(v, str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v) for v in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: at, level, unit, event, and the fields of `extra={"fields": {...}}`."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def entry(self, record: logging.LogRecord) -> dict[str, Any]:
        row: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "unit": self._unit,
            "event": redact(record.getMessage()),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            row.update({k: v for k, v in _clean(fields).items() if k not in row})
        if record.exc_info and record.exc_info[1] is not None:
            row["error"] = redact("".join(traceback.format_exception(record.exc_info[1])))
        return row

    def format(self, record: logging.LogRecord) -> str:
        """ASCII alone: no line end that some reader knows and JSON doesn't, no control of a terminal."""
        return json.dumps(self.entry(record), default=str)


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes the lines. One that cannot be made is announced as such; the usual way prints its raw arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        line = {"level": "error", "event": "a log line could not be written", "logger": redact(record.name)}
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(json.dumps(line) + self.terminator)


class TailHandler(logging.Handler):
    """Keeps the newest lines for the dashboard."""

    def __init__(self, formatter: JsonFormatter, lines: int = 200) -> None:
        super().__init__(logging.INFO)
        self._json = formatter
        self._tail: deque[dict[str, Any]] = deque(maxlen=lines)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            row = self._json.entry(record)
        except (TypeError, ValueError):
            return  # the other handler says so
        rest = {k: v for k, v in row.items() if k not in ("at", "level", "unit", "event")}
        text = " ".join(f"{k}={v}" for k, v in rest.items())
        self._tail.append({"at": row["at"], "level": row["level"], "event": row["event"], "text": text})

    def lines(self) -> list[dict[str, Any]]:
        return list(self._tail)


LEVELS = {"quiet": logging.WARNING, "info": logging.INFO, "verbose": logging.DEBUG}


def configure(unit: str, level: str = "info", stream: TextIO | None = None) -> TailHandler:
    """Send all logging of this process to `stream` (stdout) as JSON lines, or to the journal where that is what stdout
    leads to; returns the tail for the dashboard.

    `level`: quiet, info or verbose (DEBUG_LOG_LEVEL)."""
    formatter = JsonFormatter(unit)
    out: logging.Handler = LineHandler(stream or sys.stdout)
    out.setFormatter(formatter)
    if stream is None and journal.is_journal(sys.stdout):
        out = journal.JournalHandler(unit, formatter.entry, out, journal.SOCKET)
    tail = TailHandler(formatter)
    root = logging.getLogger()
    root.handlers[:] = [out, tail]
    root.setLevel(logging.INFO)
    logging.getLogger("tbot").setLevel(LEVELS.get(level, logging.INFO))
    for noisy in ("urllib3", "websockets", "alpaca", "asyncio", "waitress.queue", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return tail


def report_uncaught() -> None:
    """From now on exceptions and warnings that nobody caught are logged, redacted, instead of printed."""
    sys.excepthook = lambda kind, error, trace: logging.getLogger("tbot").critical(
        "uncaught exception", exc_info=(kind, error, trace)
    )
    threading.excepthook = lambda args: logging.getLogger("tbot").critical(
        "uncaught exception in a thread", exc_info=args.exc_value
    )
    sys.unraisablehook = lambda what: logging.getLogger("tbot").error(
        "an exception that nobody could catch", exc_info=what.exc_value
    )
    logging.captureWarnings(capture=True)


def set_level(level: str) -> None:
    """quiet, info or verbose; an unknown word changes nothing."""
    logging.getLogger("tbot").setLevel(LEVELS.get(level, logging.getLogger("tbot").level))


def get_logger(name: str) -> logging.Logger:
    """A logger below `tbot`; pass fields as extra={"fields": {...}}."""
    return logging.getLogger(f"tbot.{name}")
