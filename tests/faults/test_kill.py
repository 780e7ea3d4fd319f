"""A process killed at any point loses nothing: before and after every effect, with a job under way.

FAULTS=all tries every point; else it is a sample, chosen by FAULTS_SEED or by chance.
FAULTS_ONLY="forgetful one analysis.ask" tries again what that names (with FAULTS=all, so that its scenario is played).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.chance import ALL, some
from tests.faults.ground import Ground, say
from tests.faults.killing import SCENARIOS, Outcome, attempt, points_of
from tests.faults.queue import beside_a_queue, queueing

SAMPLE = 5
IN_QUEUE = 3.0
"""Seconds a message lies in the queue: longer than it takes another worker to take over."""


@pytest_asyncio.fixture(scope="module")
async def ground(ground: Ground) -> AsyncIterator[Ground]:
    async with queueing(ground.settings.target_server_url, after=IN_QUEUE) as port:
        yield beside_a_queue(ground, port)


@pytest.mark.timeout(3600 if ALL else 150)
async def test_a_kill_at_any_point_loses_nothing(ground: Ground, tmp_path: Path) -> None:
    scenarios = (SCENARIOS[0], *some("scenarios", SCENARIOS[1:], 1))
    began = time.monotonic()
    trials = await points_of(ground, scenarios, tmp_path)
    chosen = some("kills", trials, SAMPLE)
    outcomes: list[Outcome] = []
    for number, trial in enumerate(chosen, start=1):
        outcomes.append(await attempt(ground, trial, number))
        say(outcomes[-1])
    failed = [str(outcome) for outcome in outcomes if outcome.error]
    say(f"{len(outcomes)} of {len(trials)} points in {time.monotonic() - began:.0f} s")
    assert not failed, "\n".join(failed)
