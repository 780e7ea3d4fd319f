"""`.env.example` and the settings say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from yousync.settings import Settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"
EXAMPLES = dict(re.findall(r"^#([A-Z][A-Z0-9_]*)=(.*)$", EXAMPLE.read_text(), flags=re.MULTILINE))


def test_every_setting_is_explained_and_every_explanation_is_of_a_setting() -> None:
    assert set(EXAMPLES) == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_defaults_are_told_as_they_are(name: str) -> None:
    default = Settings.model_fields[name].get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return
    told = EXAMPLES[name.upper()]
    text = str(default).lower() if isinstance(default, bool) else str(default)
    assert told == ("" if default in (None, []) else text)


def test_what_must_be_given_is_marked() -> None:
    required = {name.upper() for name, field in Settings.model_fields.items() if field.is_required()}
    blocks = EXAMPLE.read_text().split("\n\n")
    marked = {
        name for block in blocks if "REQUIRED." in block for name in re.findall(r"^#([A-Z0-9_]+)=", block, re.MULTILINE)
    }
    assert required <= marked


def test_no_secret_is_given_away() -> None:
    """Not even as an example: somebody would keep it."""
    assert {EXAMPLES[name] for name in ("JWT_SECRET_KEY", "WEBHOOK_TOKEN_KEYS", "WEBHOOK_SECRET")} == {""}
    assert {EXAMPLES[name] for name in ("AWS_SECRET_ACCESS_KEY", "GOOGLE_CLIENT_SECRET", "METRICS_TOKEN")} == {""}


def test_a_copy_of_the_example_changes_nothing() -> None:
    lines = [line for line in EXAMPLE.read_text().splitlines() if line]
    assert all(line.startswith("#") for line in lines)
