"""The tests can fail: in a copy of the project one promise is broken, and the test that guards it turns red.

FAULTS=all breaks them one after the other; else it is one, chosen by FAULTS_SEED or by chance.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
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
        tests: defaultdict[str, list[str]] = defaultdict(list)
        for mutation in MUTATIONS:
            tests[mutation.only].append(mutation.test)
        for only, named in tests.items():
            run = run_tests(folder, *dict.fromkeys(named), only=only, limit=GREEN_LIMIT)
            assert run.returncode == 0, run.stdout + run.stderr
    return folder


def run_tests(folder: Path, *tests: str, only: str = "", limit: float) -> subprocess.CompletedProcess[str]:
    """Run these tests of the project in `folder`: it comes before what is installed, in their children as well.

    What they choose from is what `only` names a part of. A test that waits in vain says so itself, however slow the
    machine is: it is not cut off before `limit`.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith(("FAULTS", "PYTEST"))}
    env |= {"FAULTS_ONLY": only}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *tests, "-q", "-x", "-p", "no:cacheprovider", f"--timeout={limit:.0f}"],
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
    where, *_, name = mutation.test.partition("[")[0].split("::")
    assert f"def {name}(" in (ROOT / where).read_text(), "the test moved on: update the mutation"


@pytest.mark.timeout(LIMIT + (GREEN_LIMIT if ALL else 30))
@pytest.mark.parametrize("mutation", some("mutations", MUTATIONS, 1), ids=str)
def test_a_broken_promise_is_noticed(copy: Path, mutation: Mutation) -> None:
    right = mutation.apply(copy)
    began = time.monotonic()
    try:
        run = run_tests(copy, mutation.test, only=mutation.only, limit=LIMIT)
        red = bool(re.search(rf"^FAILED {re.escape(mutation.test)}(?!\w)", run.stdout, re.MULTILINE))
        output = run.stdout + run.stderr
    except subprocess.TimeoutExpired as error:
        red, output = False, str(error)
    finally:
        (copy / mutation.file).write_text(right)
    say(f"{'red' if red else 'NOT RED'} after {time.monotonic() - began:.1f} s: {mutation.test}")
    assert red, f"{mutation.test} did not turn red:\n{output}"
