"""The documentation as a reader sees it: complete, without errors, and from this server alone."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.browser.chromium import Page
from yousync.cli.service import Web

pytestmark = pytest.mark.browser


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
    # Long groups show their first few until one asks for the rest, and those further down come as one gets there.
    more = "[...document.querySelectorAll('#api-content *')].filter((each) => /^Show \\d+ more/.test(each.innerText))"
    further = f"({more}.at(-1)?.click(), {links}.at(-1)?.scrollIntoView(), scrollBy(0, innerHeight))"
    await page.until(f"({further}, {links}.length === {len(declared)})")
    shown = await page.run(f"return {links}.map((link) => link.innerText.split(/\\s+/));")
    assert {(method.lower(), path) for method, path, *_deprecated in shown} == set(declared)
    upload = declared["post", "/scripts/{script_id}/upload-audio"]
    await page.run(f"{links}.find((link) => link.href.endsWith('/{upload['operationId']}')).click();")
    await page.until(f"document.querySelector('#api-content').innerText.includes('{upload['summary']}')")
    assert await page.hosts() == {urlsplit(service.url).netloc}
    assert await page.complaints() == []
