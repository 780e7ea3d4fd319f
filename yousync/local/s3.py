"""An S3 server as a child: rclone over a plain folder, with signature checks."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

from typing_extensions import override

from yousync.local.part import Part, base_env
from yousync.local.process import Command, StackError

REGION = "ap-northeast-2"


class ObjectStore(Part):
    """`rclone serve s3` on loopback; a bucket is a folder, an object a file."""

    name = "s3"
    title = "S3 (rclone)"

    def __init__(self, folder: Path, *, logs: Path, port: int, key: str, secret: str, bucket: str) -> None:
        super().__init__(logs)
        self.folder = folder
        self.port = port
        self.bucket = bucket
        self._key = key
        self._secret = secret

    @property
    @override
    def url(self) -> str:
        """The endpoint; buckets are addressed by path."""
        return f"http://127.0.0.1:{self.port}"

    @override
    def env(self) -> dict[str, str]:
        """The AWS variables and the bucket."""
        return {
            "AWS_ACCESS_KEY_ID": self._key,
            "AWS_SECRET_ACCESS_KEY": self._secret,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": self.url,
            "S3_BUCKET_NAME": self.bucket,
        }

    @override
    async def prepare(self) -> None:
        """Create the bucket: to rclone a folder is one."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        (self.folder / self.bucket).mkdir(exist_ok=True)

    @override
    def command(self) -> Command:
        """The key pair goes by environment, which other accounts cannot read, unlike the process list."""
        argv = [rclone(), "serve", "s3", "--config", "/dev/null", "--addr", f"127.0.0.1:{self.port}", str(self.folder)]
        return Command(argv=argv, env=base_env() | {"RCLONE_AUTH_KEY": f'"{self._key},{self._secret}"'})

    @override
    async def ready(self) -> bool:
        """Whether it accepts connections; it refuses what is not signed, so asking for more needs a client."""
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


def rclone() -> str:
    """The rclone of this environment (its wheel puts it beside python), else one on PATH."""
    beside = Path(sys.executable).parent / "rclone"
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if found is None:
        raise StackError("rclone is missing: install the extra `local` (pip install 'yousync[local]')")
    return found
