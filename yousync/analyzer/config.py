"""What the analysis server is told by its environment."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Config(BaseSettings):
    """Where it listens, how it reads S3, and how much it takes on. Names are the variables' in lower case."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True)

    analyzer_host: str = "127.0.0.1"
    analyzer_port: int = Field(0, ge=0, le=65535)  # 0 takes a free one
    analyzer_workers: int = Field(2, gt=0)  # processes that decode and measure
    analyzer_queue: int = Field(64, gt=0)  # analyses waiting for one of them; beyond that the answer is 503
    analyzer_kept: int = Field(1000, gt=0)  # finished analyses remembered for those who ask again
    analyzer_seconds_each: float = Field(30.0, gt=0)  # wall clock for decoding and measuring one recording
    analyzer_max_bytes: int = Field(32 * 2**20, gt=0)
    analyzer_max_seconds: float = Field(120.0, gt=0)
    analyzer_webhook_seconds: float = Field(600.0, gt=0)  # how long a webhook is tried again
    analyzer_reference_seconds: float = Field(900.0, gt=0)  # how long an actor's pitch is remembered
    webhook_secret: Annotated[list[SecretStr], NoDecode] = []  # webhooks are signed by each of them

    aws_access_key_id: SecretStr
    aws_secret_access_key: SecretStr
    aws_region: str = "ap-northeast-2"
    aws_endpoint_url_s3: str | None = None

    @field_validator("webhook_secret", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("webhook_secret")
    @classmethod
    def _standard(cls, value: list[SecretStr]) -> list[SecretStr]:
        for secret in value:
            prefix, _, text = secret.get_secret_value().partition("_")
            if prefix != "whsec" or not text:
                raise ValueError("must be whsec_ and base64; several separated by commas")
            base64.b64decode(text, validate=True)
        return value

    @classmethod
    def load(cls) -> Self:
        """From the environment; ends the process with the names of what is missing or wrong, never a value."""
        try:
            return cls()
        except ValidationError as error:
            wrong = [
                f"  {'.'.join(map(str, item['loc'])).upper()}: {item['msg']}"
                for item in error.errors(include_url=False, include_input=False)
            ]
            raise SystemExit("The analysis server cannot start:\n" + "\n".join(wrong)) from None
