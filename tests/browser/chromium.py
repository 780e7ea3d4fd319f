"""A real, headless Chromium, driven from the tests' event loop."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

FLAGS = (
    "--headless",
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1600",
)


class Page:
    """One tab: every call to the driver blocks, so each is made in a thread."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self._driver = driver
        self._asked: dict[str, str] = {}  # the URL by the request's id
        self._ended: set[str] = set()

    async def open(self, url: str) -> None:
        """Go there, and forget what was logged before."""
        await asyncio.to_thread(self._driver.get, "about:blank")
        await self.complaints()
        await self._network()
        self._asked.clear()
        await asyncio.to_thread(self._driver.get, url)

    async def run(self, script: str, *arguments: Any) -> Any:
        """What the function body `script` returns; a promise is waited for. Its arguments are `arguments`."""
        return await asyncio.to_thread(self._driver.execute_script, script, *arguments)

    async def until(self, expression: str, *, seconds: float = 20.0) -> Any:
        """Evaluate until it is true; its value. Fails with what the page complained of."""
        deadline = time.monotonic() + seconds  # a call to the driver cannot be cancelled, so no asyncio.timeout
        while not (answer := await self.run(f"return ({expression});")):
            if time.monotonic() > deadline:
                pytest.fail(f"never true: {expression}; the page says {await self.complaints()}")
            await asyncio.sleep(0.05)
        return answer

    async def complaints(self) -> list[str]:
        """Errors on the page's console since this was last asked: exceptions, refusals, what did not load."""
        lines = await asyncio.to_thread(self._driver.get_log, "browser")
        return [line["message"] for line in lines if line["level"] == "SEVERE"]

    async def hosts(self, *, seconds: float = 20.0) -> set[str]:
        """Every host the page asked anything of, when no request is under way any more."""
        deadline = time.monotonic() + seconds
        while waiting := await self._network():
            if time.monotonic() > deadline:
                pytest.fail(f"never answered: {sorted(self._asked[request] for request in waiting)}")
            await asyncio.sleep(0.05)
        asked = [urlsplit(url) for url in self._asked.values()]
        return {url.netloc for url in asked if url.scheme not in {"data", "blob"}}

    async def _network(self) -> set[str]:
        """Read the log of requests; the ids of those that have not ended."""
        for line in await asyncio.to_thread(self._driver.get_log, "performance"):
            message = json.loads(line["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self._asked[message["params"]["requestId"]] = message["params"]["request"]["url"]
            elif message["method"] in {"Network.loadingFinished", "Network.loadingFailed"}:
                self._ended.add(message["params"]["requestId"])
        return set(self._asked) - self._ended


@contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    """A Chromium with an empty profile; fails the test where there is none. Blocks: enter it in a thread."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.fail("The browser tests need Debian's packages: apt-get install chromium chromium-driver")
    options = Options()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(executable_path=driver))
    try:
        running.set_script_timeout(20)
        running.set_page_load_timeout(20)
        yield running
    finally:
        running.quit()
