"""How much hardware for how many jobs: the table in docs/operations.md, reckoned from what a run measured."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.figures import number
from benchmarks.findings import Table
from benchmarks.report import as_markdown

SHARE: Final = 0.6
"""How much of a core a process may use, so that bursts find room."""
STREAMS: Final = 10_000
"""So many in one web process were measured."""
_HEAD: Final = ("hosts of 2 cores", "web", "workers", "jobs a second, all day", "what is full first", "open streams")
_LAYOUTS: Final = ((2, 2, 2), (3, 3, 3), (6, 6, 6))
_POSTGRES_CORES: Final = 2
_PLACE: Final = re.compile(r"(?<=<!-- sizing -->\n\n).*?(?=\n*<!-- /sizing -->)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """CPU milliseconds a job by process, its stream included; jobs a second with all of them on these cores."""

    web: float
    worker: float
    valkey: float
    postgres: float
    together: float
    stream_kb: float

    @classmethod
    def of(cls, figures: Mapping[str, float]) -> Measured:
        """From what the scenarios running, through and streaming found. Raises KeyError when one did not run."""
        return cls(
            web=figures["web and worker ms"] - figures["worker ms"],
            worker=figures["worker ms"],
            valkey=figures["valkey ms"],
            postgres=figures["postgres ms"],
            together=figures["jobs/s"],
            stream_kb=figures["stream kB"],
        )


def told(measured: Measured) -> str:
    """The table, and how it came about."""
    costs = ", ".join(f"{name} {number(getattr(measured, name))}" for name in ("web", "worker", "valkey", "postgres"))
    rows = [("1, with Valkey and Postgres", "1", "1", number(SHARE * measured.together), "its cores", f"{STREAMS:,}")]
    for hosts, webs, workers in _LAYOUTS:
        rate, full = _bound(measured, webs, workers)
        rows.append((str(hosts), str(webs), str(workers), number(rate), full, f"{webs * STREAMS:,}"))
    how = (
        f"CPU a job in ms, its stream included: {costs}. A stream holds {number(measured.stream_kb)} kB. Each process "
        f"may use {number(100 * SHARE)} % of a core; from the second row on Valkey and Postgres have hosts of their "
        f"own, of {_POSTGRES_CORES} cores. Valkey is one thread: when that is full, more hosts help no more. The first "
        "row was measured, with S3, the analysis stand-in and the clients on the same cores; the others are reckoned."
    )
    return f"{textwrap.fill(how, 120)}\n\n{as_markdown(Table(_HEAD, rows))}"


def _bound(measured: Measured, webs: int, workers: int) -> tuple[float, str]:
    """Jobs a second, and whose cores are used up then."""
    rooms = {"web": webs, "worker": workers, "valkey": 1, "postgres": _POSTGRES_CORES}
    rates = {name: 1000 * SHARE * cores / getattr(measured, name) for name, cores in rooms.items()}
    full = min(rates, key=rates.__getitem__)
    return rates[full], full


def write(measured: Measured, page: Path) -> None:
    """Put it where `page` has a place for it."""
    page.write_text(_PLACE.sub(lambda _: told(measured), page.read_text()))
