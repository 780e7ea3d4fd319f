"""Delivers answers to webhooks until they are taken, refused, or too old."""

from __future__ import annotations

import asyncio
import base64
import hmac
import random
import time
from collections.abc import Sequence

import aiohttp
import structlog
from yarl import URL

from yousync.analyzer.metrics import Metrics
from yousync.analyzer.order import Order

_log = structlog.get_logger("yousync.analyzer")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 30.0
_TRY_AGAIN = frozenset({408, 425, 429})


async def deliver(
    session: aiohttp.ClientSession,
    order: Order,
    body: bytes,
    *,
    give_up_after: float,
    metrics: Metrics,
    secrets: Sequence[str] = (),
) -> bool:
    """Posts `body` as JSON to the order's webhook; True once it was answered with 2xx.

    Connection errors, 5xx and 408, 425, 429 are tried again with growing pauses for `give_up_after` seconds;
    any other answer is final. With `secrets` each try is signed anew by all of them (Standard Webhooks). The URL is
    used as it was given, its query untouched, and is never logged.
    """
    log = _log.bind(job_id=order.job_id, webhook=order.webhook_place)
    url = URL(order.webhook_url, encoded=True)
    deadline, pause = time.monotonic() + give_up_after, _FIRST_PAUSE_S
    while True:
        outcome: int | str
        headers = {"Content-Type": "application/json"} | signed(secrets, order.job_id, int(time.time()), body)
        try:
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as reply:
                outcome = reply.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            outcome = type(error).__name__
        metrics.webhooks.labels(f"{outcome // 100}xx" if isinstance(outcome, int) else "unreachable").inc()
        if isinstance(outcome, int) and outcome < 500 and outcome not in _TRY_AGAIN:
            log.info("webhook answered", status=outcome)
            return 200 <= outcome < 300
        if time.monotonic() + pause > deadline:
            log.warning("webhook given up", outcome=outcome)
            return False
        log.info("webhook failed, trying again", outcome=outcome)
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter, not a secret
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def signed(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks, none without a secret; secrets are `whsec_` and base64."""
    if not secrets:
        return {}
    content = f"{message_id}.{timestamp}.".encode() + body
    made = [hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), content, "sha256") for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join("v1," + base64.b64encode(one).decode() for one in made),
    }
