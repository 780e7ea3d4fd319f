"""More than fits: whoever is too many is told when to come again, memory stays bounded, and it passes by itself.

Recordings of 10 MB against budgets of a few of them.
"""

from __future__ import annotations

import asyncio
import io
import os
import wave
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import aiohttp
import pytest_asyncio

from benchmarks.measure import forget_peak, peak_bytes, resident_bytes
from tests.factories import bearer_of, make_user
from tests.faults.chance import ALL
from tests.faults.ground import Ground, check, different, say
from tests.processes import WebProcess, running
from tests.waiting import until
from tests.web.conftest import form

MIB = 2**20
UPLOADS = 64 if ALL else 24
"""How many at once: held all at once, they would be more than the budget and COPIES."""
JOBS = 30
"""How many jobs an address may have."""
BEYOND = 30
"""How many more are sent to be refused."""
LIMITS = {
    "uploads_in_flight_bytes": 24 * MIB,
    "staged_audio_bytes": 48 * MIB,
    "max_jobs_per_user": 2,
    "max_jobs_per_address": JOBS,
    "analysis_max_in_flight": 2,
    "analysis_wait_seconds": 30.0,
}
COPIES = 64 * MIB
"""What two uploads at a time may need besides: parsing, sending on, and an allocator that keeps what it had once."""


@dataclass(frozen=True, slots=True)
class Reply:
    """How an upload was answered."""

    status: int
    code: str
    job_id: str
    retry_after: int


def minute() -> bytes:
    """A recording of 10 MB, unlike all others: stereo noise."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(os.urandom(10 * MIB))
    return buffer.getvalue()


async def post(ground: Ground, audio: bytes, headers: Mapping[str, str] | None = None) -> Reply:
    """One attempt to upload."""
    async with (
        aiohttp.ClientSession(ground.url) as client,
        client.post(f"/scripts/{ground.script.id}/upload-audio", data=form(audio), headers=headers) as reply,
    ):
        body: dict[str, Any] = await reply.json(content_type=None)
        retry_after = int(reply.headers.get("Retry-After", 0))
        return Reply(reply.status, body.get("code", ""), body.get("job_id", ""), retry_after)


async def accepted(ground: Ground, audio: bytes, headers: Mapping[str, str] | None = None) -> str:
    """The job id once there is room."""

    async def job_id() -> str:
        return (await post(ground, audio, headers)).job_id

    return str(await until(job_id, seconds=30))


class Memory:
    """How much memory a process has come to need from now on."""

    def __init__(self, web: WebProcess) -> None:
        assert web.process.pid is not None
        self._pid = web.process.pid
        forget_peak(self._pid)
        self._before = resident_bytes(self._pid)

    @property
    def grown(self) -> int:
        """Bytes more than in the beginning, at the highest."""
        return peak_bytes(self._pid) - self._before


@pytest_asyncio.fixture(scope="module")
async def limited(ground: Ground) -> Ground:
    return replace(ground, settings=ground.settings.model_copy(update=LIMITS))


@pytest_asyncio.fixture(scope="module")
async def web(limited: Ground) -> AsyncIterator[WebProcess]:
    await limited.clear()
    part = limited.web(with_worker=False)
    async with running(part, limited.worker()):
        yield part


@pytest_asyncio.fixture(autouse=True)
async def cleared(limited: Ground, web: WebProcess) -> None:
    await limited.clear()


async def test_staged_audio_over_budget(limited: Ground) -> None:
    s3 = limited.stack.parts["s3"]
    audio: dict[str, bytes] = {}
    await s3.kill()
    try:
        recordings = [minute() for _ in range(5)]
        for recording in recordings[:4]:
            audio[(await post(limited, recording)).job_id] = recording
        refused = await post(limited, recordings[4])
        assert (refused.status, refused.code) == (503, "staging_full")
        assert refused.retry_after > 0
    finally:
        await s3.start()
    audio[await accepted(limited, recordings[4])] = recordings[4]
    for job_id in audio:
        assert (await limited.ended(job_id))["status"] == "completed"
    await check(limited, audio)


async def test_more_uploads_at_once_than_fit(limited: Ground, web: WebProcess) -> None:
    recording = minute()
    audio = {await accepted(limited, different(9000)): different(9000)}
    memory = Memory(web)
    keys = [f"upload-{number}" for number in range(UPLOADS)]
    replies = await asyncio.gather(*(post(limited, recording, {"Idempotency-Key": key}) for key in keys))
    grown = memory.grown
    outcomes = Counter(reply.code or reply.status for reply in replies)
    say(f"{UPLOADS} uploads of 10 MB at once: {dict(outcomes)}, {grown / MIB:.0f} MiB")
    assert outcomes[202]
    assert outcomes["uploads_busy"]
    assert outcomes.keys() <= {202, "uploads_busy", "staging_full"}
    assert all(reply.retry_after for reply in replies if reply.status == 503)
    assert grown < limited.settings.uploads_in_flight_bytes + COPIES
    audio |= {reply.job_id: recording for reply in replies if reply.status == 202}
    audio[await accepted(limited, recording, {"Idempotency-Key": "again"})] = recording
    await check(limited, audio)


async def test_more_jobs_than_a_learner_may_have(limited: Ground) -> None:
    await limited.analysis.behave("hold")
    first, other = [await make_user() for _ in range(2)]
    headers = [await bearer_of(limited.settings, user) for user in (first, other)]
    for number in range(2):
        assert (await post(limited, different(9100 + number), headers[0])).status == 202
    refused = await post(limited, different(9102), headers[0])
    assert (refused.status, refused.code) == (429, "too_many_jobs")
    assert refused.retry_after > 0
    assert (await post(limited, different(9102), headers[1])).status == 202, "the other one has done nothing"
    await limited.analysis.behave("normal")
    await until(lambda: _asked(limited, 2))
    await limited.analysis.release()
    await accepted(limited, different(9102), headers[0])
    await until(lambda: _all_completed(limited, 4))


async def test_an_analysis_server_slower_than_arrivals(limited: Ground, web: WebProcess) -> None:
    """What it cannot keep up with piles up to a limit; then whoever sends is told so, until it has caught up."""
    await limited.analysis.behave("normal", reply_delay_s=0.1, delay_s=0.2)
    recording = minute()[: 2 * MIB]
    memory = Memory(web)
    audio: dict[str, bytes] = {}
    refused: list[Reply] = []
    for number in count():
        each = recording + number.to_bytes(2, "big")
        reply = await post(limited, each)
        if reply.status == 202:
            audio[reply.job_id] = each
            continue
        refused.append(reply)
        if len(refused) == BEYOND:
            break
    say(f"{len(audio)} uploads of 2 MB taken, {BEYOND} refused, {memory.grown / MIB:.0f} MiB")
    assert len(audio) >= JOBS
    assert {(reply.status, reply.code) for reply in refused} <= {(429, "too_many_jobs"), (503, "staging_full")}
    assert all(reply.retry_after for reply in refused)
    assert memory.grown < limited.settings.uploads_in_flight_bytes + COPIES < 2 * MIB * (len(audio) + BEYOND)
    last = different(9200)
    audio[await accepted(limited, last)] = last
    for job_id in audio:
        assert (await limited.ended(job_id))["status"] == "completed"
    await check(limited, audio)
    assert await _most_at_once(limited, list(audio)) == limited.settings.analysis_max_in_flight


async def _asked(ground: Ground, jobs: int) -> bool:
    return sum([await ground.analysis.asked(job.id) for job in await ground.records()]) >= jobs


async def _all_completed(ground: Ground, jobs: int) -> bool:
    return [job.state for job in await ground.records()] == ["completed"] * jobs


async def _most_at_once(ground: Ground, job_ids: list[str]) -> int:
    """How many analyses were under way at the same time, at most, by the ledger of the one who made them."""
    steps: list[tuple[float, int]] = []
    for job_id in job_ids:
        (request,) = await ground.analysis.requests(job_id)
        steps += [(request["at"], 1), ((await ground.analysis.webhooks(job_id))[0]["done_at"], -1)]
    most = now = 0
    for _, step in sorted(steps):
        now += step
        most = max(most, now)
    return most
