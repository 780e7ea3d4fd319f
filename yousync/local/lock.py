"""The data folder and its lock: one stack per folder, and a way to tell whether one is running."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from yousync.local.process import StackError


def data_folder(path: Path) -> Path:
    """Create the data folder if need be, and return its absolute path.

    As root others may pass through it (not look into it): Postgres runs as another account inside.
    """
    folder = path.absolute()
    try:
        folder.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(f"cannot use {folder} as data folder: {error.strerror}") from error
    return folder


class DataLock:
    """Held as long as a stack runs on the folder; the kernel drops it when the process dies, however it dies."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "lock"
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises StackError when another stack holds it."""
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        for attempt in range(10):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if attempt < 9:  # `is_running` of somebody else may hold it for an instant
                    time.sleep(0.02)
                continue
            self._descriptor = descriptor
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
            return
        holder = self._file.read_text().strip() or "?"
        os.close(descriptor)
        raise StackError(
            f"a stack is already running on {self._file.parent} (process {holder}).\n"
            "Stop it with Ctrl-C, or give another folder with --data."
        )

    def release(self) -> None:
        """Let others start here."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_running(folder: Path) -> bool:
    """Whether a stack runs on this folder: true process ids can be taken over by strangers, a lock cannot."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
