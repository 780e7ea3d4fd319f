"""What the preprocess server's answers mean for a job."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from tests.jobs.conftest import a_job
from yousync.failures import Down, Permanent, StageFailure, Transient, Unclear
from yousync.job import Kind
from yousync.local.port import free_port
from yousync.preprocessing import open_preprocessing
from yousync.settings import Settings

JOB = a_job(kind=Kind.YOUTUBE, token_id=None, script_id=None, request={"youtube_url": "u"})


@pytest_asyncio.fixture
async def server() -> AsyncIterator[str]:
    """Answers with the status that stands in the path, or cuts the connection."""

    async def answer(request: web.Request) -> web.Response:
        if request.match_info["status"] == "cut" and request.transport is not None:
            request.transport.abort()
            return web.Response()
        return web.Response(status=int(request.match_info["status"]))

    app = web.Application()
    app.router.add_post("/{status}/process", answer)
    runner, port = web.AppRunner(app), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


@pytest.mark.parametrize(
    ("answer", "failure", "code"),
    [
        ("429", Down, "preprocess_down"),
        ("503", Down, "preprocess_down"),
        ("500", Transient, "preprocess_error"),
        ("504", Unclear, "preprocess_unclear"),
        ("cut", Unclear, "preprocess_unclear"),
        ("422", Permanent, "preprocess_rejected"),
        ("302", Permanent, "preprocess_rejected"),
    ],
)
async def test_what_each_answer_means(
    settings: Settings, server: str, answer: str, failure: type[StageFailure], code: str
) -> None:
    with pytest.raises(failure) as caught:
        await ask(settings, f"{server}/{answer}/")
    assert caught.value.code == code


async def test_a_server_that_takes_it_has_taken_it(settings: Settings, server: str) -> None:
    await ask(settings, f"{server}/202")


async def test_nobody_there_and_no_address_are_the_same(settings: Settings) -> None:
    for url in (f"http://127.0.0.1:{free_port()}", None):
        with pytest.raises(Down) as caught:
            await ask(settings, url)
        assert caught.value.code == "preprocess_down"


async def ask(settings: Settings, url: str | None) -> None:
    changes = {"preprocess_server_url": url, "youtube_webhook_url": "http://127.0.0.1:1/hook"}
    async with open_preprocessing(settings.model_copy(update=changes)) as client:
        await client.ask(JOB)
