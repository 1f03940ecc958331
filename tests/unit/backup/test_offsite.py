"""Copies elsewhere, against an S3 server and an SFTP server on this machine: right, refused, cut off, changed."""

import asyncio
import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from tbot_bot.backup import offsite
from tbot_bot.backup.offsite import copy_there, open_target, with_patience
from tbot_bot.domain.errors import BackupRefused
from tbot_bot.domain.installation import BackupTarget

BUCKET = "tbot-copies"
PASSWORD = "not a battery"


class SftpPlace:
    """An asyncssh server over one folder, in a thread with a loop of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.user_key = asyncssh.generate_private_key("ssh-ed25519")
        self.sftp: type[asyncssh.SFTPServer] = asyncssh.SFTPServer
        self.port = 0
        self.connections: list[asyncssh.SSHServerConnection] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.start()

    def start(self) -> None:
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)

    def end(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def fingerprint(self) -> str:
        return str(self.host_key.get_fingerprint())

    def settings(self, **other: str) -> BackupTarget:
        values = {"backup_target_password": PASSWORD, "backup_target_host_key": self.fingerprint, **other}
        return BackupTarget(backup_target_url=f"sftp://ada@127.0.0.1:{self.port}/deep/copies", **values)

    async def _listen(self) -> int:
        place = self

        class Server(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                place.connections.append(conn)

            def begin_auth(self, username: str) -> bool:
                return True

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                return (username, password) == ("ada", PASSWORD)

            def public_key_auth_supported(self) -> bool:
                return True

            def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
                return key.public_data == place.user_key.public_data

        self._server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[self.host_key],
            server_factory=Server,
            sftp_factory=lambda channel: self.sftp(channel, chroot=str(self.root)),
        )
        return int(self._server.get_port())

    async def _close(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        for connection in self.connections:
            connection.close()
            await connection.wait_closed()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        if rest:
            await asyncio.wait(rest, timeout=5)


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[SftpPlace]:
    root = tmp_path / "server"
    root.mkdir()
    place = SftpPlace(root)
    yield place
    place.end()


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_url: str) -> Iterator[BackupTarget]:
    settings = BackupTarget(
        backup_target_url=f"s3://{BUCKET}/bot/one",
        backup_target_endpoint=s3_url,
        backup_target_access_key="AK-canary",
        backup_target_secret_key="SK-canary",
    )
    with closing(raw_client(s3_url)) as client:
        client.create_bucket(Bucket=BUCKET)
        yield settings
        for row in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            client.delete_object(Bucket=BUCKET, Key=row["Key"])
        client.delete_bucket(Bucket=BUCKET)


def raw_client(url: str) -> Any:
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
    )


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    path = tmp_path / "tbot-20261125T073000Z.age"
    path.write_bytes(bytes(range(256)) * 2000)
    return path


@pytest.fixture(params=["s3", "sftp"])
def target(request: pytest.FixtureRequest) -> Iterator[offsite.Target]:
    place = request.getfixturevalue(request.param)
    opened = open_target(place.settings() if isinstance(place, SftpPlace) else place)
    yield opened
    opened.close()


def test_a_copy_is_there_whole_and_can_be_removed_twice(target: offsite.Target, backup: Path) -> None:
    assert target.sizes() == {}
    copy_there(target, backup)
    copy_there(target, backup)
    assert target.sizes() == {backup.name: backup.stat().st_size}
    with closing(target.read(backup.name)) as there:
        assert there.read(10) == backup.read_bytes()[:10]
    target.remove(backup.name)
    target.remove(backup.name)
    assert target.sizes() == {}


def test_copies_in_s3_lie_in_their_folder(s3: BackupTarget, s3_url: str, backup: Path) -> None:
    with closing(open_target(s3)) as target:
        copy_there(target, backup)
    with closing(raw_client(s3_url)) as client:
        keys = [row["Key"] for row in client.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert keys == [f"bot/one/{backup.name}"]


def test_a_missing_bucket_is_named(s3: BackupTarget) -> None:
    elsewhere = open_target(replace(s3, backup_target_url="s3://elsewhere-1"))
    with closing(elsewhere), pytest.raises(BackupRefused, match="no such bucket"):
        elsewhere.sizes()


def test_a_silent_s3_server_is_no_traceback() -> None:
    settings = BackupTarget(
        backup_target_url="s3://bucket-1",
        backup_target_endpoint="http://127.0.0.1:9",
        backup_target_access_key="AK-canary",
        backup_target_secret_key="SK-canary",
    )
    with closing(open_target(settings)) as target, pytest.raises(BackupRefused, match="cannot be reached") as raised:
        target.sizes()
    assert "canary" not in str(raised.value)


def test_a_changed_copy_is_found(s3: BackupTarget, s3_url: str, backup: Path) -> None:
    """A server that keeps something else than it was sent."""

    class Forgetful:
        def __init__(self, real: offsite.Target) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def put(self, name: str, source: Path) -> None:
            changed = bytearray(source.read_bytes())
            changed[-1] ^= 1
            with closing(raw_client(s3_url)) as client:
                client.put_object(Bucket=BUCKET, Key=f"bot/one/{name}", Body=bytes(changed))

    with closing(open_target(s3)) as target, pytest.raises(BackupRefused, match="not what was sent"):
        copy_there(Forgetful(target), backup)  # type: ignore[arg-type]


def test_sftp_takes_a_private_key(sftp: SftpPlace, backup: Path) -> None:
    text = sftp.user_key.export_private_key("openssh")
    key = base64.b64encode(text).decode()
    with closing(open_target(sftp.settings(backup_target_password="", backup_target_private_key=key))) as target:
        copy_there(target, backup)
    assert (sftp.root / "deep/copies" / backup.name).read_bytes() == backup.read_bytes()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"backup_target_password": "wrong"}, "refuses the user"),
        ({"backup_target_host_key": ""}, "was never confirmed"),
        ({"backup_target_host_key": "SHA256:" + "A" * 43}, "is not the one entered"),
        ({"backup_target_private_key": "bm8ga2V5"}, "no Ed25519 key"),
    ],
)
def test_sftp_refusals_say_what_to_do(sftp: SftpPlace, other: dict[str, str], words: str) -> None:
    with pytest.raises(BackupRefused, match=words) as raised:
        open_target(sftp.settings(**other))
    assert PASSWORD not in str(raised.value)
    if "host_key" in next(iter(other)):
        assert sftp.fingerprint in str(raised.value)


def test_a_server_with_another_host_key_gets_no_password(sftp: SftpPlace) -> None:
    settings = sftp.settings()
    sftp.stop()
    sftp.host_key = asyncssh.generate_private_key("ssh-ed25519")
    sftp.start()
    moved = sftp.settings(backup_target_host_key=settings.backup_target_host_key)
    with pytest.raises(BackupRefused, match="is not the one entered"):
        open_target(moved)


class Full(asyncssh.SFTPServer):
    """A disk with no room."""

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        raise asyncssh.SFTPFailure("No space left on device")


class Cutting(asyncssh.SFTPServer):
    """A connection that breaks in the middle of an upload."""

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        if offset > 100_000:
            self.channel.get_connection().abort()
        return int(super().write(file_obj, offset, data))  # type: ignore[arg-type]


@pytest.mark.parametrize("server", [Full, Cutting])
def test_an_upload_that_fails_leaves_no_file_that_looks_whole(
    sftp: SftpPlace, backup: Path, server: type[asyncssh.SFTPServer]
) -> None:
    sftp.sftp = server
    with closing(open_target(sftp.settings())) as target, pytest.raises(BackupRefused, match="SFTP server failed"):
        copy_there(target, backup)
    assert not (sftp.root / "deep/copies" / backup.name).exists()


def test_trying_again_waits_longer_each_time_and_gives_up() -> None:
    waits: list[float] = []
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        raise BackupRefused("no")

    sleep: Callable[[float], object] = waits.append
    with pytest.raises(BackupRefused):
        with_patience(fail, sleep)
    assert len(tries) == offsite.TRIES
    assert waits == sorted(waits)
    assert len(waits) == offsite.TRIES - 1


def test_a_wrong_access_key_is_said_in_words(s3: BackupTarget, s3_url: str) -> None:
    requests.post(f"{s3_url}/moto-api/reset-auth", data=b"0", timeout=5)
    try:
        with closing(open_target(s3)) as target, pytest.raises(BackupRefused, match="does not know the access key"):
            target.sizes()
    finally:
        requests.post(f"{s3_url}/moto-api/reset-auth", data=b"inf", timeout=5)
