"""The only door to S3: bytes in, bytes out, checked by sha256 both ways. Plain calls only, so every S3 store serves."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from core.errors import CorruptAssetError, SettingsError, StorageError
from core.settings import Settings
from schemas.assets import Location

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

PART_BYTES = 256 * 1024
NOT_FOUND = {"404", "NoSuchKey", "NotFound"}
# What a wrong set-up answers: trying again does not help.
REFUSED = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidBucketName", "NoSuchBucket"}


# A session makes one client at a time.
_making_a_client = threading.Lock()


@cache
def _session() -> boto3.session.Session:
    """Return the session of this process: each would read descriptions of all services anew, 0.1 s of a core."""
    return boto3.session.Session()


class Storage:
    """One bucket. The client is safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self.bucket = settings.s3_bucket
        self.endpoint = settings.s3_endpoint
        secret = settings.s3_secret_key
        config = Config(
            signature_version="s3v4",
            retries={"mode": "standard", "max_attempts": 4},
            connect_timeout=3,
            read_timeout=30,
            max_pool_connections=max(10, settings.upload_threads + 2),
            s3={"addressing_style": "path"} if settings.s3_endpoint else {},
        )
        with _making_a_client:
            self._client: S3Client = _session().client(
                "s3",
                endpoint_url=settings.s3_endpoint,
                region_name=settings.s3_region,
                aws_access_key_id=settings.s3_access_key,
                aws_secret_access_key=secret.get_secret_value() if secret else None,
                config=config,
            )

    def ensure_bucket(self) -> None:
        """Create the bucket when it is not there."""
        with self._translated("reach", self.bucket):
            try:
                self._client.head_bucket(Bucket=self.bucket)
            except ClientError as error:
                if error.response["Error"]["Code"] not in NOT_FOUND | {"NoSuchBucket"}:
                    raise
                self._client.create_bucket(Bucket=self.bucket)

    def put(self, key: str, data: bytes, content_type: str) -> Location:
        """Store the bytes under the key; the same key and bytes twice is no error. The store verifies the sha256."""
        digest = hashlib.sha256(data)
        with self._translated("store", key):
            self._client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=data,
                ContentType=content_type,
                ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
            )
        return Location(key=key, offset_bytes=0, length_bytes=len(data), sha256=digest.hexdigest())

    def get(self, location: Location) -> bytes:
        """Return the bytes at the location; raises CorruptAssetError when they are gone or not those of its sha256."""
        last = location.offset_bytes + location.length_bytes - 1
        with self._translated("read", location.key):
            answer = self._client.get_object(
                Bucket=self.bucket, Key=location.key, Range=f"bytes={location.offset_bytes}-{last}"
            )
            data = answer["Body"].read()
        found = hashlib.sha256(data).hexdigest()
        if found != location.sha256:
            raise CorruptAssetError(
                f"{location.key} [{location.offset_bytes}:+{location.length_bytes}] has sha256 {found}, "
                f"the ledger says {location.sha256}"
            )
        return data

    def get_whole(self, key: str) -> bytes:
        """Return a whole object."""
        with self._translated("read", key):
            return self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def stream(self, key: str) -> tuple[str, Iterator[bytes]]:
        """Return what kind of thing an object is and its bytes, part by part: of any size."""
        with self._translated("read", key):
            answer = self._client.get_object(Bucket=self.bucket, Key=key)
        return answer.get("ContentType", ""), self._parts(key, answer["Body"])

    def _parts(self, key: str, body: "StreamingBody") -> Iterator[bytes]:
        with self._translated("read", key):
            yield from body.iter_chunks(PART_BYTES)

    def put_file(self, key: str, file: BinaryIO, sha256: str, content_type: str) -> None:
        """Store a file that has this sha256 under the key, without reading all of it at once; twice is no error."""
        with self._translated("store", key):
            self._client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=file,
                ContentType=content_type,
                ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
            )

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield key and size of every object below the prefix: for audits and model folders only."""
        for item in self._items(prefix):
            yield item["Key"], item["Size"]

    def stored_at(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Yield key and time of storing of every object below the prefix: to clear away what nobody needs."""
        for item in self._items(prefix):
            yield item["Key"], item["LastModified"].timestamp()

    def _items(self, prefix: str) -> "Iterator[ObjectTypeDef]":
        with self._translated("list", prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                yield from page.get("Contents", [])

    def delete(self, key: str) -> None:
        """Delete an object; one that is not there is no error."""
        with self._translated("delete", key):
            self._client.delete_object(Bucket=self.bucket, Key=key)

    def link(self, key: str, seconds: int = 3600) -> str:
        """Return a link with which anybody can read the whole object until it ends."""
        with self._translated("sign", key):
            return self._client.generate_presigned_url(
                "get_object", Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=seconds
            )

    @contextmanager
    def _translated(self, verb: str, key: str) -> Iterator[None]:
        try:
            yield
        except NoCredentialsError as error:
            raise SettingsError("S3 has no credentials: set FACTORY_S3_ACCESS_KEY and FACTORY_S3_SECRET_KEY") from error
        except ClientError as error:
            raise _meaning(error, verb, key, self.bucket) from error
        except (BotoCoreError, OSError) as error:
            place = self.endpoint or "AWS"
            raise StorageError(
                f"cannot {verb} {key}: S3 at {place} does not answer ({type(error).__name__})"
            ) from error


def _meaning(error: ClientError, verb: str, key: str, bucket: str) -> Exception:
    details: Any = error.response.get("Error", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", ""))
    if code in NOT_FOUND:
        return CorruptAssetError(f"cannot {verb} {key}: it is not in bucket {bucket}")
    if code in REFUSED:
        return SettingsError(f"cannot {verb} {key}: S3 answers {code} ({message}); check FACTORY_S3_* settings")
    return StorageError(f"cannot {verb} {key}: S3 answers {code} ({message})")
