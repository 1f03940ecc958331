"""Copies in an S3-compatible bucket, through boto3. TLS is always verified; plain http only to this machine."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tbot_bot.domain.errors import BackupRefused

_CONNECT_SECONDS, _READ_SECONDS = 10, 60
_WORDS = {
    "InvalidAccessKeyId": "does not know the access key",
    "SignatureDoesNotMatch": "refuses the secret key",
    "AccessDenied": "does not allow this to the access key",
    "NoSuchBucket": "has no such bucket",
    "403": "does not allow this to the access key",
    "404": "has no such bucket or file",
}


class S3Target:
    """A folder (key prefix) in a bucket."""

    def __init__(self, *, bucket: str, folder: str, endpoint: str, access_key: str, secret_key: str) -> None:
        self._bucket = bucket
        self._prefix = f"{folder}/" if folder else ""
        # Checksums that not every S3-compatible server knows are left out: every copy is read back and compared.
        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 3},
            signature_version="s3v4",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if endpoint else {},
        )
        self._client: Any = boto3.client(
            "s3",
            region_name="us-east-1",
            endpoint_url=endpoint or None,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=config,
        )

    def sizes(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        with _translated():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            for page in pages:
                for row in page.get("Contents", ()):
                    found[str(row["Key"]).removeprefix(self._prefix)] = int(row["Size"])
        return found

    def put(self, name: str, source: Path) -> None:
        with _translated(), source.open("rb") as file:
            transfer = TransferConfig(use_threads=False)
            self._client.upload_fileobj(file, self._bucket, self._prefix + name, Config=transfer)

    def read(self, name: str) -> BinaryIO:
        with _translated():
            body = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"]
        return cast("BinaryIO", _Translating(body))

    def remove(self, name: str) -> None:
        with _translated():
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    def close(self) -> None:
        self._client.close()


class _Translating(io.RawIOBase):
    """A body whose trouble arrives as ours."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self._body = body

    def read(self, size: int = -1, /) -> bytes:
        with _translated():
            return bytes(self._body.read(size))

    def close(self) -> None:
        self._body.close()
        super().close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        raise BackupRefused(f"The S3 server {_WORDS.get(code, f'refuses: {code}')}.") from error
    except Boto3Error as error:
        cause = error.__cause__ or error.__context__
        if isinstance(cause, ClientError):
            code = str(cause.response.get("Error", {}).get("Code", ""))
            raise BackupRefused(f"The S3 server {_WORDS.get(code, f'refuses: {code}')}.") from error
        raise BackupRefused(f"The upload broke off: {type(cause or error).__name__}.") from error
    except BotoCoreError as error:
        raise BackupRefused(f"The S3 server cannot be reached: {type(error).__name__}.") from error
