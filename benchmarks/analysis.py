"""The stand-in analysis server as a benchmark needs it: how to behave, and which webhooks it holds back."""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson


class Analysis:
    """The stand-in's own controls. Raises aiohttp.ClientError when it is away."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def behave(self, mode: str, **how: Any) -> None:
        """Treat requests like this from now on."""
        async with self._session() as session, session.post("/behaviour", json={"mode": mode, **how}) as reply:
            reply.raise_for_status()

    async def webhooks(self) -> dict[str, str]:
        """Every webhook URL it was handed since it began, by job."""
        async with self._session() as session, session.get("/ledger") as reply:
            lines = orjson.loads(await reply.read())["lines"]
        return {line["job_id"]: _webhook(line["fields"]) for line in lines if line["event"] == "request"}

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(self._url, raise_for_status=True)


def _webhook(fields: dict[str, str]) -> str:
    return str(orjson.loads(fields["request_data"])["webhook_url"])


def result_of(words: int) -> bytes:
    """A result as a webhook brings it, for a sentence of so many words."""
    heard = [
        {"word": f"word{number}", "word_score": 0.8, "mfcc_similarity": 0.7, "text_status": "pass"}
        for number in range(words)
    ]
    return orjson.dumps({"status": "completed", "result": {"overall_score": 0.8, "word_analysis": heard}})
