"""The stand-in itself: how to behave, what was promised, what is held back."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from yousync.local.standin.asked import Asked, read, scores
from yousync.local.standin.behaviour import Behaviour, Release
from yousync.local.standin.ledger import Ledger

_RETRY_FOR_S = 60.0


class Standin:
    """The state of one stand-in: how to behave, what was promised, what was held back."""

    def __init__(self, ledger: Ledger, session: aiohttp.ClientSession) -> None:
        self.ledger = ledger
        self._session = session
        self._plan: list[Behaviour] = []
        self._held: dict[str, tuple[str, bytes]] = {}
        self._answers: dict[str, bytes] = {}
        self._called: set[str] = set()
        self._tasks: set[asyncio.Task[int]] = set()
        self._resets = 0

    def behave(self, plan: list[Behaviour]) -> None:
        """Replaces the plan; after the last entry's count the stand-in is normal again."""
        self._plan = list(plan)

    def _next(self) -> Behaviour:
        if not self._plan:
            return Behaviour.model_validate({})
        first = self._plan[0]
        if first.count is not None:
            left = first.count - 1
            self._plan[0:1] = [first.model_copy(update={"count": left})] if left else []
        return first

    async def analyze(self, request: web.Request) -> web.StreamResponse:
        """POST /analyze."""
        fields = {name: str(value) for name, value in (await request.post()).items()}
        try:
            asked = read(fields, request.headers.get("Idempotency-Key"))
        except (ValueError, KeyError, TypeError) as error:
            await self.ledger.write("refused", fields=fields, reason=type(error).__name__)
            return web.json_response({"error": "unreadable request"}, status=400)
        how = self._next()
        await self.ledger.write(
            "request",
            job_id=asked.job_id,
            mode=how.mode,
            shape="script" if "request_data" in fields else "token",
            idempotency_key=request.headers.get("Idempotency-Key"),
            fields=fields,
        )
        return await self._treat(request, asked, how)

    async def process(self, request: web.Request) -> web.StreamResponse:
        """POST /process: a preprocess server that makes no clips, so that `body` has to say which there are."""
        try:
            fields = await request.json()
            asked = Asked(job_id=fields["job_id"], webhook_url=fields["webhook_url"], audio="", words=[])
        except (ValueError, KeyError, TypeError) as error:
            await self.ledger.write("refused", reason=type(error).__name__)
            return web.json_response({"error": "unreadable request"}, status=400)
        how = self._next()
        key = request.headers.get("Idempotency-Key")
        await self.ledger.write(
            "request", job_id=asked.job_id, mode=how.mode, shape="video", idempotency_key=key, fields=fields
        )
        return await self._treat(request, asked, how)

    async def _treat(self, request: web.Request, asked: Asked, how: Behaviour) -> web.StreamResponse:
        resets = self._resets
        await asyncio.sleep(how.reply_delay_s)
        if how.mode == "drop" or resets != self._resets:
            return _cut(request)
        if how.mode.startswith("http_"):
            return web.json_response({"error": "as told"}, status=int(how.mode[5:]))
        if how.honour_idempotency and asked.job_id in self._answers:
            if asked.job_id in self._called:
                self._send(asked, self._answers[asked.job_id], 0.0)
            return _accepted(asked)
        return await self._start(request, asked, how)

    async def _start(self, request: web.Request, asked: Asked, how: Behaviour) -> web.StreamResponse:
        result = scores(asked)
        body = orjson.dumps({"status": "completed", "job_id": asked.job_id, "result": result})
        if how.mode == "fail":
            error = {"code": "no_speech", "message": "As told."}
            body = orjson.dumps({"status": "failed", "job_id": asked.job_id, "error": error})
        if how.body is not None:
            body = how.body.encode() if isinstance(how.body, str) else orjson.dumps(how.body)
        self._answers[asked.job_id] = body
        await self.ledger.write("run", job_id=asked.job_id)
        if how.mode in {"inline", "inline_scores"}:
            self._called.add(asked.job_id)
            found = result | {"scores": [word["word_score"] for word in result["word_analysis"]]}
            return web.json_response(found if how.mode == "inline_scores" else {"analysis_results": result})
        if how.mode in {"never", "hold"}:
            self._held[asked.job_id] = (asked.webhook_url, body)
        elif how.mode == "lost":
            self._called.add(asked.job_id)
        elif how.mode == "early":
            await asyncio.wait({self._send(asked, body, how.delay_s)})
        else:
            for _ in range(2 if how.mode == "duplicate" else 1):
                self._send(asked, body, how.delay_s)
        return _cut(request) if how.mode == "drop_after" else _accepted(asked)

    def _send(self, asked: Asked, body: bytes, delay_s: float) -> asyncio.Task[int]:
        task = asyncio.create_task(self._call(asked.job_id, asked.webhook_url, body, delay_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _call(self, job_id: str, url: str, body: bytes, delay_s: float) -> int:
        """Posts the webhook until it is taken or refused; its last status, 0 when nobody answered."""
        await asyncio.sleep(delay_s)
        self._called.add(job_id)
        done_at = time.time()
        status, pause, deadline = 0, 0.1, time.monotonic() + _RETRY_FOR_S
        while True:
            try:
                async with self._session.post(
                    url, data=body, headers={"Content-Type": "application/json"}, allow_redirects=False
                ) as reply:
                    status = reply.status
            except (aiohttp.ClientError, TimeoutError, OSError):
                status = 0
            await self.ledger.write("webhook", job_id=job_id, status=status, done_at=done_at)
            if 0 < status < 500 or time.monotonic() > deadline:
                return status
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter, not a secret
            pause = min(pause * 2, 2.0)

    async def release(self, wanted: Release) -> list[dict[str, Any]]:
        """Sends held webhooks one after the other."""
        chosen = list(reversed(self._held)) if wanted.job_ids is None else wanted.job_ids
        held = {job_id: self._held.pop(job_id) for job_id in chosen if job_id in self._held}
        return [{"job_id": job_id, "status": await self._call(job_id, *what, 0.0)} for job_id, what in held.items()]

    def state_of(self, job_id: str) -> dict[str, Any] | None:
        """What GET /analyses says: a result that nobody was told yet belongs to a running analysis."""
        if job_id not in self._answers:
            return None
        if job_id not in self._called:
            return {"job_id": job_id, "status": "running"}
        try:
            told = orjson.loads(self._answers[job_id])
        except orjson.JSONDecodeError:
            told = {}
        return {"status": "completed", **(told if isinstance(told, dict) else {}), "job_id": job_id}

    async def reset(self) -> None:
        """Forgets behaviour, held webhooks and answers, gives up requests and webhooks under way; the ledger stays."""
        self._resets += 1
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._plan.clear()
        self._held.clear()
        self._answers.clear()
        self._called.clear()


def _accepted(asked: Asked) -> web.Response:
    return web.json_response({"job_id": asked.job_id, "task_id": asked.job_id, "status": "accepted"}, status=202)


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
