"""`python -m benchmarks`: measure, print the table, and after a full run write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks import machine, sizing
from benchmarks.findings import Plan, Section
from benchmarks.ground import LIMITS, VALKEY_MEMORY, Ground, open_ground
from benchmarks.report import as_text, headline, page
from benchmarks.scenarios import accepting, growing, hearing, memory, reading, running, solo, streaming, through

PAGE: Final = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_OPERATIONS: Final = PAGE.with_name("operations.md")
_FULL_ROUNDS: Final = 3

Scenario = Callable[[Ground, Plan], Awaitable[Section]]
SCENARIOS: Final[dict[str, Scenario]] = {
    "accepting": accepting.measure,
    "running": running.measure,
    "hearing": hearing.measure,
    "solo": solo.measure,
    "streaming": streaming.measure,
    "through": through.measure,
    "memory": memory.measure,
    "growing": growing.measure,
    "reading": reading.measure,
}


def main() -> None:
    """Raises StackError when a server does not start, TimeoutError when ours leaves a job behind."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", metavar="NAME,…", help=f"some of: {', '.join(SCENARIOS)}")
    parser.add_argument("--rounds", type=int, default=_FULL_ROUNDS, help="rounds of each figure (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="short and small, to see that it works")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(SCENARIOS)
    if unknown := set(names) - set(SCENARIOS):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    if not Path("/proc/self/stat").exists():
        parser.error("this needs Linux: CPU and memory are read from /proc")
    plan = Plan(rounds=options.rounds, quick=options.quick)
    full = names == list(SCENARIOS) and plan.rounds >= _FULL_ROUNDS and not plan.quick
    try:
        asyncio.run(_run(names, plan, write=full))
    except KeyboardInterrupt:
        parser.exit(130, "interrupted; everything it started is stopped\n")


async def _run(names: list[str], plan: Plan, *, write: bool) -> None:
    console = Console(soft_wrap=True, highlight=False)
    begun, load = time.monotonic(), machine.load_average()
    sections: list[Section] = []
    async with open_ground(console.print) as ground:
        for name in names:
            started = time.monotonic()
            sections.append(section := await SCENARIOS[name](ground, plan))
            console.print(f"\n[bold]{section.title}[/] ({time.monotonic() - started:.0f} s)")
            for table in section.tables:
                console.print(as_text(table), markup=False)
    minutes = (time.monotonic() - begun) / 60
    console.print(f"\n[bold]Against the aims[/] ({minutes:.1f} minutes)")
    console.print(as_text(headline(sections)), markup=False)
    if write:
        run = [_when(minutes, plan, load), _limits()]
        PAGE.write_text(page(sections, machine=machine.described(), run=run))
        figures = {name: figure for section in sections for name, figure in section.figures.items()}
        sizing.write(sizing.Measured.of(figures), _OPERATIONS)
        console.print(f"\nwritten to {PAGE}, and its sizing to {_OPERATIONS}")


def _when(minutes: float, plan: Plan, load: float) -> str:
    began = f"load average {load:.1f} before it began"
    return f"{datetime.now(UTC):%Y-%m-%d}, {minutes:.0f} minutes, {plan.rounds} rounds, {began}"


def _limits() -> str:
    limits = ", ".join(f"{name}={value}" for name, value in LIMITS.items())
    return f"raised for the run: {limits}, and Valkey's maxmemory to {VALKEY_MEMORY // 2**20} MiB"


if __name__ == "__main__":
    main()
