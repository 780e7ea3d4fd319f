"""What a process and its children have used: CPU and memory, as /proc tells."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time of these processes and all below them, the ended and waited-for ones included."""
    parents, used = {}, {}
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            try:
                fields = _fields(folder / "stat")
            except OSError:
                continue
            pid = int(folder.name)
            parents[pid] = int(fields[1])
            used[pid] = sum(int(ticks) for ticks in fields[11:15])  # utime stime cutime cstime
    return sum(used[pid] for pid in _below(set(pids), parents) if pid in used) / _TICKS


def _fields(stat: Path) -> list[str]:
    """What follows the program's name, which may hold anything."""
    return stat.read_text().rpartition(")")[2].split()


def _below(roots: set[int], parents: dict[int, int]) -> set[int]:
    found = set(roots)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def resident_bytes(pid: int) -> int:
    """Memory a process holds now."""
    return _status(pid, "VmRSS")


def peak_bytes(pid: int) -> int:
    """The most memory it has held since it began, or since `forget_peak`."""
    return _status(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """The peak is counted from now on."""
    (_PROC / str(pid) / "clear_refs").write_text("5")


def _status(pid: int, name: str) -> int:
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
