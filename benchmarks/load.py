"""Load: so many clients, each sending one upload after the other, for so long."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import orjson

from benchmarks.figures import percentile
from benchmarks.wire import Connection, Reply, Uploads, connect

_TAKEN = (200, 202)
_REFUSED_SECONDS = 0.1  # before a refused client tries again


@dataclass(slots=True)
class Tally:
    """What became of the uploads of one stretch of load. Times are seconds."""

    seconds: float = 0.0  # until the last client was done, or had waited long enough
    accepted: list[str] = field(default_factory=list)  # job ids, in order
    latencies: list[float] = field(default_factory=list)  # of those accepted
    refused: Counter[int] = field(default_factory=Counter)  # by status; 0 is a connection that broke
    unanswered: int = 0  # at the end, after the patience of the clients

    @property
    def rate(self) -> float:
        """Accepted uploads a second."""
        return len(self.accepted) / self.seconds if self.seconds else 0.0

    def latency(self, rank: float) -> float:
        """A percentile of the time from the first byte sent to the answer."""
        return percentile(self.latencies, rank)


class Load:
    """Closed-loop clients on one or more ports of the same server, taken in turn.

    It ends after `seconds`, or before, once `most` uploads were sent. `accepted` is called with each job id.
    """

    def __init__(
        self,
        ports: Sequence[int],
        uploads: Uploads,
        *,
        concurrency: int,
        seconds: float,
        most: int | None = None,
        patience: float = 5.0,
        accepted: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._ports = ports
        self._uploads = uploads
        self._concurrency = concurrency
        self._seconds = seconds
        self._left = 1 << 60 if most is None else most
        self._patience = patience
        self._accepted = accepted
        self._tally = Tally()

    async def run(self) -> Tally:
        """Send, and tell what came of it."""
        tally = self._tally
        begun = time.perf_counter()
        until = begun + self._seconds
        clients = [asyncio.create_task(self._client(number, until)) for number in range(self._concurrency)]
        _, hanging = await asyncio.wait(clients, timeout=self._seconds + self._patience)
        tally.seconds = time.perf_counter() - begun
        tally.unanswered = len(hanging)
        for client in hanging:
            client.cancel()
        for outcome in await asyncio.gather(*clients, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        return tally

    async def _client(self, number: int, until: float) -> None:
        port = self._ports[number % len(self._ports)]
        connection: Connection | None = None
        try:
            while time.perf_counter() < until and self._left > 0:
                self._left -= 1
                request = self._uploads.next()
                begun = time.perf_counter()
                try:
                    connection = connection or await connect(port)
                    taken = self._answered(await connection.request(request), begun)
                except OSError:
                    self._tally.refused[0] += 1
                    taken, connection = False, None
                if not taken:
                    await asyncio.sleep(_REFUSED_SECONDS)
        finally:
            if connection is not None:
                connection.close()

    def _answered(self, reply: Reply, begun: float) -> bool:
        if reply.status not in _TAKEN:
            self._tally.refused[reply.status] += 1
            return False
        job_id = str(orjson.loads(reply.body)["job_id"])
        self._tally.accepted.append(job_id)
        self._tally.latencies.append(time.perf_counter() - begun)
        self._accepted(job_id)
        return True
