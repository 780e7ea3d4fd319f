"""No effect is forgotten: whatever has failpoints around it is where some test kills a process."""

from __future__ import annotations

import re
from pathlib import Path

from tests.faults.killing import SCENARIOS
from tests.faults.test_dubbing import EFFECTS as OF_DUBBINGS
from tests.faults.test_operators import ACTIONS

ROOT = Path(__file__).parents[2]
READ_ONLY = {"record.stats", "storage.get"}


def effects() -> set[str]:
    """What is decorated, each command of the script, and the moves that go by a name of their own."""
    files = [file for name in ("jobs", "models", "web", "yousync") for file in (ROOT / name).rglob("*.py")]
    python = "".join(file.read_text() for file in files)
    lua = "".join(file.read_text() for file in (ROOT / "jobs" / "lua").iterdir())
    moves = [name.lower() for name in re.findall(r"store\.move\(\s*\w+,\s*Move\.(\w+)", python)]
    commands = re.findall(r"function commands\.(\w+)", lua)
    named = {f"record.{name}" for name in {*moves, *commands} - {"move"}}
    return named.union(re.findall(r'@failpoints\("([\w.]+)"\)', python)) - READ_ONLY


def test_every_effect_is_where_some_test_kills_a_process() -> None:
    again = (ROOT / "tests/faults/test_again.py").read_text()
    killed = {
        *re.findall(r'"(?:kill:)?(\w+\.\w+)\.(?:\{moment\}|before|after):\d', again),
        *OF_DUBBINGS,
        *(effect for scenario in SCENARIOS for effect in scenario.effects),
        *(effect for of_action in ACTIONS.values() for effect in of_action),
    }
    assert effects() == killed
