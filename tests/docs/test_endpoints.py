"""The page of endpoints names every one there is, and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from web.app import CONTRACTS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "endpoints.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)))


def test_every_endpoint_has_a_row() -> None:
    there = {f"{endpoint.method} {endpoint.path}" for contract in CONTRACTS for endpoint in contract.endpoints}
    rows = set(re.findall(r"^\| `([A-Z]+ /\S*)` \|", TEXT, re.MULTILINE))
    assert rows == {name for name in there if " /admin" not in name}


@pytest.mark.parametrize(("file", "test"), NAMED, ids=lambda part: part or "all")
def test_the_tests_it_names_are_there(file: str, test: str) -> None:
    text = (ROOT / file).read_text()
    assert re.search(rf"def {test or 'test_'}", text), "the test moved on: update docs/endpoints.md"
