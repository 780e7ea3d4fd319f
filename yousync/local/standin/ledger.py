"""What came in, what was begun and what went out, one JSON line each."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import orjson


class Ledger:
    """JSON lines on the disk before the answer goes out: each `request`, each `run` begun, each `webhook` tried."""

    def __init__(self, path: Path, *, sync: bool) -> None:
        self.lines: list[dict[str, Any]] = []
        self._sync = sync
        self._lock = asyncio.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")

    async def write(self, event: str, **fields: Any) -> None:
        """Adds a line with its number and time."""
        async with self._lock:
            line = {"number": len(self.lines), "at": time.time(), "event": event, **fields}
            self.lines.append(line)
            self._file.write(orjson.dumps(line) + b"\n")
            self._file.flush()
            if self._sync:
                await asyncio.to_thread(os.fsync, self._file.fileno())

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()
