"""What the stand-in can be told to do."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Behaviour(BaseModel):
    """How the next `count` requests are treated (None: all of them, until told otherwise).

    Modes: `normal` replies and calls the webhook `delay_s` later; `early` calls it before the reply; `duplicate`
    calls it twice at once; `never` (or `hold`) keeps it until POST /release; `lost` only tells who asks for the
    status; `fail` reports a failure;
    `inline` and `inline_scores` have the result in the reply and call nothing; `http_NNN` answers that status;
    `drop` cuts the connection and forgets; `drop_after` cuts it and calls the webhook all the same.
    `body` is sent instead of the result: text as it is, anything else as JSON.
    """

    model_config = ConfigDict(extra="forbid")

    mode: str = Field(
        "normal",
        pattern=r"^(normal|early|duplicate|never|hold|lost|fail|inline|inline_scores|http_[1-5]\d\d|drop|drop_after)$",
    )
    delay_s: float = Field(0.0, ge=0)
    reply_delay_s: float = Field(0.0, ge=0)
    count: int | None = Field(None, gt=0)
    body: Any = None
    honour_idempotency: bool = True


class Release(BaseModel):
    """Which held webhooks to send: these jobs in this order, or all, newest first."""

    model_config = ConfigDict(extra="forbid")

    job_ids: list[str] | None = None


PLAN: TypeAdapter[Behaviour | list[Behaviour]] = TypeAdapter(Behaviour | list[Behaviour])
"""The body of POST /behaviour: one of them, or several to be used up in order."""
