"""The documentation as a reader sees it: complete, without errors, and from this server alone."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.browser.chromium import Page
from yousync.cli.service import Web

pytestmark = pytest.mark.browser

STEPS = 200  # half a screen each


async def operations(service: Web) -> dict[tuple[str, str], dict[str, Any]]:
    """All that the service's document declares, by method and path."""
    async with aiohttp.ClientSession(service.url) as client, client.get("/openapi.json") as reply:
        document = await reply.json()
    found = {(method, path): item for path, methods in document["paths"].items() for method, item in methods.items()}
    assert found
    return found


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_swagger_ui_lists_every_operation(page: Page, service: Web, prefix: str) -> None:
    declared = await operations(service)
    await page.open(f"{service.url}{prefix}/docs")
    await page.until(f"document.querySelectorAll('.opblock').length === {len(declared)}")
    shown = await page.run(
        """return [...document.querySelectorAll(".opblock-summary")].map((row) => [
            row.querySelector(".opblock-summary-method").textContent.toLowerCase(),
            row.querySelector("[data-path]").dataset.path,
        ]);"""
    )
    assert {tuple(row) for row in shown} == set(declared)
    assert await page.hosts() == {urlsplit(service.url).netloc}
    assert await page.complaints() == []


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_redoc_shows_every_operation(page: Page, service: Web, prefix: str) -> None:
    declared = await operations(service)
    await page.open(f"{service.url}{prefix}/redoc")
    links = (
        "[...document.querySelectorAll('#api-content a[href^=\"#/\"]')].filter((link) => link.innerText.includes('/'))"
    )
    # Long groups show their first few until one asks for the rest, and only what is in view is on the page at all.
    more = "[...document.querySelectorAll('#api-content *')].filter((each) => /^Show \\d+ more/.test(each.innerText))"
    further = "const at = scrollY; scrollBy(0, innerHeight / 2); if (scrollY === at) scrollTo(0, 0);"
    shown: set[tuple[str, str]] = set()
    for _ in range(STEPS):
        rows = await page.run(f"return {links}.map((link) => link.innerText.split(/\\s+/));")
        shown |= {(method.lower(), path) for method, path, *_deprecated in rows}
        if shown == set(declared):
            break
        await page.run(f"{more}.at(-1)?.click(); {further}")
        await asyncio.sleep(0.05)
    assert shown == set(declared)
    upload = declared["post", "/scripts/{script_id}/upload-audio"]
    link = f"{links}.find((link) => link.href.endsWith('/{upload['operationId']}'))"
    read = f"document.querySelector('#api-content').innerText.includes('{upload['summary']}')"
    await page.until(f"({link}?.click(), (() => {{ {further} }})(), {read})")
    assert await page.hosts() == {urlsplit(service.url).netloc}
    assert await page.complaints() == []
