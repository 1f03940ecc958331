"""Published snapshots: dated, numbered, and without secrets that someone else's words brought in."""

import json
from datetime import UTC, datetime
from pathlib import Path

from tbot_bot.support.clock import ManualClock
from tbot_bot.support.logs import add_secret
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher

AT = datetime(2026, 1, 5, 15, tzinfo=UTC)


def test_a_snapshot_is_numbered_and_dated(tmp_path: Path) -> None:
    publisher = Publisher(Paths(tmp_path), "bot", ManualClock(AT))

    publisher.publish("status", {"a": 1})
    publisher.publish("status", {"a": 2})

    assert json.loads(Paths(tmp_path).snapshot("status").read_bytes()) == {
        "seq": 2,
        "written_at": AT.isoformat(),
        "writer": "bot",
        "expires_after": 10.0,
        "body": {"a": 2},
    }


def test_a_known_secret_in_someone_elses_words_is_not_published(tmp_path: Path) -> None:
    add_secret('key-"quoted"-ü')
    add_secret("90210777")
    publisher = Publisher(Paths(tmp_path), "bot", ManualClock(AT))

    publisher.publish(
        "status", {"why": 'denied: key-"quoted"-ü', "rows": [{"account": "90210777"}], "shares": 90210777}
    )

    body = json.loads(Paths(tmp_path).snapshot("status").read_bytes())["body"]
    assert body == {"why": "denied: [redacted]", "rows": [{"account": "[redacted]"}], "shares": 90210777}
