"""The backup process with a place for copies: they follow the backups here, and never hold them up."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tbot_bot.backup.worker import BackupWorker
from tbot_bot.support.audit_drop import AuditDrop
from tbot_bot.support.snapshot import Publisher

BUCKET = "tbot-nightly"
KEYS = {"BACKUP_TARGET_ACCESS_KEY": "AK-canary-1", "BACKUP_TARGET_SECRET_KEY": "SK-canary-1"}
PASSWORD = "a battery of horses"


class SetClock:
    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def place() -> Any:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def names_there(url: str) -> list[str]:
    client = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    with closing(client):
        return [row["Key"] for row in client.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def make_bucket(url: str) -> None:
    client = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    with closing(client):
        client.create_bucket(Bucket=BUCKET)


def settings(rig: Any, url: str) -> None:
    values = {**KEYS, "BACKUP_TARGET_URL": f"s3://{BUCKET}/one", "BACKUP_TARGET_ENDPOINT": url}
    values |= {"BACKUP_KEEP_DAILY": "1", "BACKUP_KEEP_WEEKLY": "1", "BACKUP_KEEP_MONTHLY": "1"}
    reply = rig.ask("provision", values=values, step_up={"password": PASSWORD, "code": ""})
    assert reply.ok, reply
    rig.until(lambda: rig.published("form")["values"]["BACKUP_TARGET_URL"] == values["BACKUP_TARGET_URL"])
    rig.until(lambda: rig.published("provisioning")["state"] == "done")


def test_copies_follow_the_backups_and_trouble_there_never_fails_one_here(rig: Any, place: str) -> None:
    settings(rig, place)
    clock = SetClock(datetime(2026, 12, 1, 8, tzinfo=UTC))
    waits: list[float] = []
    publisher, audit = Publisher(rig.paths, "backup", clock), AuditDrop(rig.paths, clock)
    worker = BackupWorker(rig.paths, clock, publisher, audit, waits.append, 4)

    assert worker.back_up("test")
    shown = rig.published("backups")
    assert "no such bucket" in shown["offsite"]["error"]
    assert "no such bucket" in shown["backups"][0]["offsite"]
    assert shown["error"] == ""
    assert shown["offsite"]["last_ok_at"] == ""
    assert "could not be copied" in rig.paths.alerts_log.read_text()

    make_bucket(place)
    clock.time = datetime(2026, 12, 2, 8, tzinfo=UTC)
    assert worker.back_up("test")
    assert names_there(place) == ["one/tbot-20261202T080000Z.age"]
    shown = rig.published("backups")
    assert [row["offsite"] for row in shown["backups"]] == ["copied"]
    assert shown["offsite"]["error"] == ""
    assert shown["offsite"]["last_ok_at"] == "2026-12-02T08:00:00+00:00"

    clock.time = datetime(2026, 12, 3, 8, tzinfo=UTC)
    assert worker.back_up("test")
    assert names_there(place) == ["one/tbot-20261203T080000Z.age"]
    assert worker.drill("test")
    assert rig.published("backups")["drill"]["checks"][-1]["name"] == "copy elsewhere"
    rig.until(lambda: "backup_copied" in rig.paths.audit_log.read_text())
    assert "canary" not in rig.paths.audit_log.read_text()
