"""The tests can fail: in a copy of the project one promise is broken, and the test that guards it turns red.

FAULTS=all breaks them one after the other and prints a table; else it is one, chosen by FAULTS_SEED or by chance.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.chance import ALL, some
from tests.faults.ground import say
from tests.faults.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]
PACKAGES = ("yousync", "models", "jobs", "web", "tests")
LIMIT = 120.0
"""Seconds a test may take to turn red, the start of its stack included."""
GREEN_LIMIT = 600.0
"""Seconds all of them may take together while nothing is wrong yet."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as it is at this moment, in a folder of its own, where all is well until a mutation is applied."""
    folder = tmp_path_factory.mktemp("copy")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "pyproject.toml", folder)
    if ALL:  # a single one that is drawn has its green run in the suite it is drawn in
        run = run_tests(folder, *dict.fromkeys(mutation.test for mutation in MUTATIONS), limit=GREEN_LIMIT)
        assert run.returncode == 0, run.stdout + run.stderr
    return folder


@pytest.fixture(scope="module")
def table() -> Iterator[list[str]]:
    """What turned red and how soon: printed in the end."""
    lines: list[str] = []
    yield lines
    say("\n".join(["", *lines]))


def run_tests(folder: Path, *tests: str, limit: float) -> subprocess.CompletedProcess[str]:
    """Run these tests of the project in `folder`: it comes before what is installed, in their children as well."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("FAULTS", "PYTEST"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *tests, "-q", "-x", "-p", "no:cacheprovider"],
        cwd=folder,
        env=env | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_the_list_is_up_to_date(mutation: Mutation, tmp_path: Path) -> None:
    file = tmp_path / mutation.file
    file.parent.mkdir(parents=True)
    shutil.copy2(ROOT / mutation.file, file)
    mutation.apply(tmp_path)
    where, *_, name = mutation.test.split("::")
    assert f"def {name}(" in (ROOT / where).read_text(), "the test moved on: update the mutation"


@pytest.mark.timeout(LIMIT + (GREEN_LIMIT if ALL else 30))
@pytest.mark.parametrize("mutation", some(MUTATIONS, 1), ids=str)
def test_a_broken_promise_is_noticed(copy: Path, table: list[str], mutation: Mutation) -> None:
    right = mutation.apply(copy)
    began = time.monotonic()
    try:
        run = run_tests(copy, mutation.test, limit=LIMIT)
    finally:
        (copy / mutation.file).write_text(right)
    assert run.returncode == 1, f"{mutation.test} did not turn red:\n{run.stdout}{run.stderr}"
    assert re.search(rf"^FAILED {re.escape(mutation.test)}\b", run.stdout, re.MULTILINE), run.stdout
    seconds = time.monotonic() - began
    table.append(f"{mutation.name:<62}{mutation.test.rsplit('::', 1)[1]:<86}red after {seconds:4.1f} s")
