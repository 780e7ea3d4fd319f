"""The OpenAPI document that is kept beside the docs is the one that is served."""

from __future__ import annotations

from pathlib import Path

import orjson
from openapi_spec_validator import OpenAPIV31SpecValidator
from typer.testing import CliRunner

from web.app import described
from yousync.cli.app import app

KEPT = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_kept_document_is_that_of_the_code() -> None:
    kept = orjson.loads(KEPT.read_bytes())
    assert kept == orjson.loads(orjson.dumps(described())), "the API has changed: run `make openapi`, commit its file"


def test_the_command_writes_it(tmp_path: Path) -> None:
    written = tmp_path / "openapi.json"
    assert CliRunner().invoke(app, ["openapi", str(written)]).exit_code == 0
    assert written.read_text() == KEPT.read_text()
    assert CliRunner().invoke(app, ["openapi"]).stdout == KEPT.read_text()


def test_it_is_valid_openapi_3_1() -> None:
    document = described()
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"] == "3.1.1"
