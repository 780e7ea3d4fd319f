"""Reading metrics as Prometheus does: over HTTP, parsed by its own parser."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Scrape:
    """The samples of one process at one moment, by name and labels."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.samples}

    def __call__(self, name: str, **labels: str) -> float:
        """The value of one series; NaN when there is none."""
        return self.samples.get((name, frozenset(labels.items())), math.nan)

    def sum(self, name: str, **labels: str) -> float:
        """The sum over all series with these labels and any others."""
        return math.fsum(
            value
            for (named, has), value in self.samples.items()
            if named == name and labels.items() <= dict(has).items()
        )


def parsed(text: str) -> Scrape:
    """What a scrape's text says."""
    return Scrape(
        {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    )


async def scrape(url: str, *, headers: Mapping[str, str] | None = None) -> Scrape:
    """The metrics at `url`, as they are now."""
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as reply:
        assert reply.status == 200, await reply.text()
        return parsed(await reply.text())
