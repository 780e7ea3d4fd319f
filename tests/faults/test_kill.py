"""A process killed at any point loses nothing: before and after every effect, with a job under way.

FAULTS=all tries every point and prints a table; else it is a sample, chosen by FAULTS_SEED or by chance.
FAULTS_ONLY="forgetful one analysis.ask" tries again what that names (with FAULTS=all, so that it is among them).
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.chance import ALL, SEED, some
from tests.faults.ground import Ground, say
from tests.faults.killing import SCENARIOS, Outcome, attempt, points_of, wanted

SAMPLE = 5


@pytest.mark.timeout(3600 if ALL else 150)
async def test_a_kill_at_any_point_loses_nothing(ground: Ground, tmp_path: Path) -> None:
    scenarios = (SCENARIOS[0], *some(SCENARIOS[1:], 1))
    began = time.monotonic()
    trials = await points_of(ground, scenarios, tmp_path)
    assert len(trials) > 2 * 36, "every effect has its failpoints"
    chosen = wanted(trials, SAMPLE)
    outcomes: list[Outcome] = []
    for number, trial in enumerate(chosen, start=1):
        outcomes.append(await attempt(ground, trial, number))
        say(outcomes[-1])
    failed = [str(outcome) for outcome in outcomes if outcome.error]
    say(f"{len(outcomes)} of {len(trials)} points in {time.monotonic() - began:.0f} s, seed {SEED}")
    assert not failed, "\n".join([f"FAULTS_SEED={SEED}", *failed])
