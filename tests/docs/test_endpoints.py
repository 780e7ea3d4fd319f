"""The pages of endpoints and of security name what there is: every endpoint, and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from web.app import CONTRACTS

ROOT = Path(__file__).parents[2]
PAGES = {name: (ROOT / "docs" / name).read_text() for name in ("endpoints.md", "security.md")}
NAMED = sorted(
    {(page, *found) for page, text in PAGES.items() for found in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)}
)


def test_every_endpoint_has_a_row() -> None:
    there = {f"{endpoint.method} {endpoint.path}" for contract in CONTRACTS for endpoint in contract.endpoints}
    there |= {"GET /docs", "GET /redoc", "GET /openapi.json"}  # which the document does not tell of itself
    rows = set(re.findall(r"^\| `([A-Z]+ /\S*)` \|", PAGES["endpoints.md"], re.MULTILINE))
    assert rows == {name for name in there if " /admin" not in name}


@pytest.mark.parametrize("page", ["endpoints.md", "security.md"])
def test_every_row_names_a_test(page: str) -> None:
    rows = [line for line in PAGES[page].splitlines() if re.match(r"\| (?!control |endpoint |fault )", line)]
    assert rows
    assert not [row for row in rows if "::test_" not in row]


@pytest.mark.parametrize(("page", "file", "test"), NAMED, ids=lambda part: part or "all")
def test_the_tests_they_name_are_there(page: str, file: str, test: str) -> None:
    text = (ROOT / file).read_text()
    assert re.search(rf"def {test or 'test_'}", text), f"the test moved on: update docs/{page}"


def test_the_walk_goes_everywhere() -> None:
    """But to older spellings; what operators do is told elsewhere."""
    walk = (ROOT / "docs" / "walkthrough.sh").read_text()
    walked = re.findall(r"""^ *call \S+ ([A-Z]+) ["']?(/[^?"'\s]*)""", walk, re.MULTILINE)
    walked += [("GET", path) for path in re.findall(r'^follow "(/[^"]*)"', walk, re.MULTILINE)]
    for contract in CONTRACTS:
        for endpoint in contract.endpoints:
            if endpoint.deprecated_for is None and not endpoint.path.startswith("/admin"):
                there = re.compile(re.sub(r"{\w+}", "[^/]+", endpoint.path))
                paths = [path for method, path in walked if method == endpoint.method]
                assert any(map(there.fullmatch, paths)), f"{endpoint.method} {endpoint.path} is not walked"
