"""The documentation pages: complete, from this server alone, and exactly the files that were vendored."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.web.sample import make_app
from web.docs import STATIC, VENDORED, assets

Client = TestClient[web.Request, web.Application]


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async with TestClient(TestServer(make_app())) as made:
        yield made


def listed() -> dict[str, str]:
    return dict(re.findall(r"^\| (\S+) \| `([0-9a-f]{64})` \|$", (STATIC / "VENDORED.md").read_text(), re.MULTILINE))


def test_vendored_files_are_the_published_ones() -> None:
    found = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in assets().items()}
    assert {name: digest for name, digest in found.items() if name.split("/")[0] in VENDORED} == listed()


def test_each_library_ships_its_licence() -> None:
    for folder in VENDORED:
        assert f"{folder}/LICENSE" in assets()


def test_our_own_files_name_no_other_host() -> None:
    for name, path in assets().items():
        if name.startswith("pages/"):
            assert set(re.findall(r"https?://[^\s\"'>]+", path.read_text())) <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize("page", ["/docs", "/docs/", "/redoc", "/redoc/"])
async def test_a_page_and_all_its_parts_come_from_here(client: Client, prefix: str, page: str) -> None:
    async with client.get(f"{prefix}{page}", allow_redirects=False) as response:
        text = await response.text()
        assert (response.status, response.content_type) == (200, "text/html")
        policy = response.headers["Content-Security-Policy"]
    assert "http" not in policy
    assert "script-src 'self';" in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    parts = re.findall(r'(?:src|href|data-\w+)="([^"]+)"', text)
    assert len(parts) >= 4
    for part in parts:
        assert part.startswith(f"{prefix}/")
        async with client.get(part) as response:
            assert response.status == 200, part
            assert await response.read()


async def test_the_document_is_valid_and_revalidated(client: Client) -> None:
    async with client.get("/openapi.json") as response:
        spec = await response.json()
        tag = response.headers["ETag"]
    OpenAPIV31SpecValidator(spec).validate()
    assert spec["info"] == {"title": "Sample", "version": "1.0.0", "description": "A sample."}
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        async with client.get("/api/openapi.json/", headers={"If-None-Match": known}) as response:
            assert (response.status, await response.read()) == (304, b""), known
            assert response.headers["ETag"] == tag
    async with client.get("/openapi.json", headers={"If-None-Match": '"other"'}) as response:
        assert response.status == 200


@pytest.mark.parametrize("name", sorted(assets()))
async def test_assets_are_cached_by_their_version(client: Client, name: str) -> None:
    async with client.get(f"/static/{name}") as response:
        assert response.status == 200
        tag, caching = response.headers["ETag"], response.headers["Cache-Control"]
        assert ("immutable" in caching) == (name.split("/", maxsplit=1)[0] in VENDORED)
        expected = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
        assert response.content_type == expected.get(name.rsplit(".", 1)[-1], "text/plain")
    async with client.get(f"/static/{name}", headers={"If-None-Match": tag}) as response:
        assert response.status == 304


@pytest.mark.parametrize("path", ["/static/", "/static/VENDORED.md", "/static/pages", "/static/%2e%2e/docs.py"])
async def test_nothing_else_is_served(client: Client, path: str) -> None:
    async with client.get(path) as response:
        assert response.status == 404
