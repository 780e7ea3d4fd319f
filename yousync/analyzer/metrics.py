"""What the analysis server counts, in a registry of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0)


class Metrics:
    """One server's figures; each server has its own, so that several may live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.ended = Counter(
            "yousync_analyzer_ended",
            "Analyses that ended, by status and error code",
            ["status", "code"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "yousync_analyzer_seconds",
            "Decoding and scoring one recording",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.refused = Counter(
            "yousync_analyzer_refused", "Requests that were not taken, by reason", ["reason"], registry=self.registry
        )
        self.webhooks = Counter(
            "yousync_analyzer_webhooks", "Tries to deliver a webhook, by outcome", ["outcome"], registry=self.registry
        )
        self.references = Counter(
            "yousync_analyzer_references",
            "References of actors, by kind and by whether they were known, fetched or unusable",
            ["kind", "found"],
            registry=self.registry,
        )
        self._waiting = Gauge("yousync_analyzer_waiting", "Analyses in the queue", registry=self.registry)
        self._workers = Gauge("yousync_analyzer_workers", "Processes that live", registry=self.registry)

    def watch(self, *, waiting: Callable[[], float], workers: Callable[[], float]) -> None:
        """Where the gauges read their values, whenever somebody asks."""
        self._waiting.set_function(waiting)
        self._workers.set_function(workers)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)
