"""A TypeScript client made from the OpenAPI document compiles, and so does what a web app does with it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from web.app import described
from web.replies import encode

pytestmark = pytest.mark.browser

CLIENT = Path(__file__).parent / "client"


async def node(tool: str, *arguments: str) -> None:
    """Run a program of node_modules, which `make test-browser` installs."""
    process = await asyncio.create_subprocess_exec(
        str(CLIENT / "node_modules" / ".bin" / tool),
        *arguments,
        cwd=CLIENT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def test_the_client_and_its_use_are_well_typed(tmp_path: Path) -> None:
    spec = tmp_path / "openapi.json"
    spec.write_bytes(encode(described()))
    await node("openapi-typescript", str(spec), "--output", "generated/schema.d.ts")
    await node("tsc", "--project", ".")
