"""A browser's EventSource: it follows a job's stream, and when that ends goes on at whoever serves."""

from __future__ import annotations

from dataclasses import dataclass, field

import aiohttp

from tests.faults.ground import Ground
from tests.web.following import Message, read_stream


@dataclass
class Follower:
    """What a frontend was shown of a job, stitched together over all its connections."""

    job_id: str
    messages: list[Message] = field(default_factory=list)
    connections: int = 0

    async def follow(self, ground: Ground) -> Follower:
        """Follow to the end, wherever somebody serves."""
        while not self.messages or self.messages[-1].data["status"] == "processing":
            url = await ground.ready()
            try:
                await self._connect(url)
            except aiohttp.ClientConnectorError:
                continue  # it stopped listening at this moment: EventSource tries again as well
        return self

    async def _connect(self, url: str) -> None:
        headers = {"Last-Event-ID": self.messages[-1].id} if self.messages else {}
        async with (
            aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=60)) as client,
            client.get(f"/scripts/analysis-progress/{self.job_id}", headers=headers) as reply,
        ):
            assert reply.status == 200, f"{reply.status}: EventSource would never try again"
            self.connections += 1
            # A stream that ends is resumed; one that is cut off in the middle raises here.
            self.messages += (await read_stream(reply)).messages

    def check(self) -> None:
        """It is one story: nothing twice, nothing that goes back, one end."""
        numbers = [tuple(map(int, message.id.split("-"))) for message in self.messages]
        assert numbers == sorted(set(numbers)), f"out of order or repeated: {numbers}"
        progress = [message.data["progress"] for message in self.messages]
        assert progress == sorted(progress), f"it went back: {progress}"
        statuses = [message.data["status"] for message in self.messages]
        assert statuses == ["processing"] * (len(statuses) - 1) + ["completed"], statuses
        assert self.messages[-1].data["result"]["result"]["word_analysis"]
