"""One frozen, validated object with every setting; the environment is read here and nowhere else."""

from __future__ import annotations

import base64
from ipaddress import ip_network
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from yousync.origin import canonical_origin
from yousync.rates import rates

CommaList = Annotated[list[str], NoDecode]


class SettingsMissing(Exception):
    """Variables are missing or wrong; the message names each of them and the way out."""


class Settings(BaseSettings):
    """Everything that differs between deployments.

    Field names are the environment's variable names in lower case. What has no default must be given:
    DSNs and secrets never have one. `.env.example` explains each for people.
    """

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True)

    # --- where the other parts are -----------------------------------------------------------------
    database_url: SecretStr
    redis_url: SecretStr
    staging_redis_url: SecretStr | None = None
    aws_access_key_id: SecretStr
    aws_secret_access_key: SecretStr
    aws_region: str = "ap-northeast-2"
    s3_bucket_name: str
    aws_endpoint_url_s3: str | None = None
    s3_public_endpoint_url: str | None = None
    media_buckets: CommaList = []
    media_origins: CommaList = []
    target_server_url: str
    script_target_server_url: str | None = None
    webhook_url: str
    script_webhook_url: str | None = None
    analysis_status_url: str | None = None
    use_sqs_queue: bool = False
    sqs_queue_url: str | None = None
    aws_endpoint_url_sqs: str | None = None
    preprocess_server_url: str | None = None
    youtube_webhook_url: str | None = None

    # --- secrets -----------------------------------------------------------------------------------
    jwt_secret_key: Annotated[list[SecretStr], NoDecode]
    webhook_token_keys: Annotated[list[SecretStr], NoDecode]
    webhook_secret: Annotated[list[SecretStr], NoDecode] = []
    google_client_id: CommaList = []
    google_client_secret: SecretStr | None = None
    google_certs_url: str = "https://www.googleapis.com/oauth2/v1/certs"

    # --- what an upload may be ---------------------------------------------------------------------
    max_upload_bytes: int = Field(15 * 2**20, gt=0)
    max_batch_files: int = Field(20, gt=0, le=50)
    max_audio_seconds: float = Field(60.0, gt=0)
    uploads_in_flight_bytes: int = Field(256 * 2**20, gt=0)
    staged_audio_bytes: int = Field(512 * 2**20, gt=0)
    staged_audio_days: int = Field(7, gt=0)
    dedupe_seconds: int = Field(600, gt=0)
    max_jobs_per_user: int = Field(20, gt=0)
    max_jobs_per_address: int = Field(60, gt=0)
    max_streams_per_address: int = Field(2000, gt=0)
    trusted_proxies: CommaList = []

    # --- the engine --------------------------------------------------------------------------------
    worker_slots: int = Field(50, gt=0)
    worker_nice: int = Field(10, ge=0, le=19)
    lease_seconds: float = Field(15.0, gt=0)
    reconcile_seconds: float = Field(60.0, gt=0)
    upload_tries: int = Field(5, gt=0)
    upload_timeout_seconds: float = Field(30.0, gt=0)
    submit_tries: int = Field(5, gt=0)
    submit_timeout_seconds: float = Field(75.0, gt=0)
    persist_timeout_seconds: float = Field(30.0, gt=0)
    analysis_wait_seconds: float = Field(180.0, gt=0)
    analysis_asks: int = Field(3, gt=0)
    analysis_max_in_flight: int = Field(32, gt=0)
    analysis_idempotent: bool = False
    preprocess_tries: int = Field(5, gt=0)
    preprocess_timeout_seconds: float = Field(300.0, gt=0)
    preprocess_wait_seconds: float = Field(3600.0, gt=0)
    preprocess_asks: int = Field(2, gt=0)
    mix_tries: int = Field(3, gt=0)
    mix_timeout_seconds: float = Field(120.0, gt=0)
    mix_processes: int = Field(1, gt=0)
    mix_max_in_flight: int = Field(4, gt=0)
    synthesis_wait_seconds: float = Field(60.0, gt=0)
    breaker_jobs: int = Field(3, gt=0)
    max_webhook_bytes: int = Field(2 * 2**20, gt=0)
    ended_record_seconds: int = Field(3600, gt=0)
    retain_completed_days: float = Field(0.0, ge=0)
    retain_failed_days: float = Field(30.0, ge=0)
    retain_parked_days: float = Field(30.0, ge=0)
    retain_cancelled_days: float = Field(30.0, ge=0)
    retain_history_days: float = Field(90.0, ge=0)
    anonymous_result_hours: float = Field(24.0, ge=0)
    drain_seconds: float = Field(5.0, gt=0)
    valkey_durability: Literal["strict", "acknowledged"] = "strict"

    # --- the web process ---------------------------------------------------------------------------
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    allowed_origins: CommaList = []
    rate_limits: str = "on"
    access_token_hours: float = Field(12.0, gt=0)
    refresh_days: float = Field(14.0, ge=0)
    strict_job_access: bool = False
    sse_keepalive_seconds: float = Field(15.0, gt=0)

    # --- metrics -----------------------------------------------------------------------------------
    metrics_port: int = Field(0, ge=0, le=65535)
    metrics_token: SecretStr | None = None

    # --- logs --------------------------------------------------------------------------------------
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    log_file: str | None = None

    @field_validator(
        *("jwt_secret_key", "webhook_token_keys", "webhook_secret"),
        *("google_client_id", "trusted_proxies", "allowed_origins"),
        *("media_buckets", "media_origins"),
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Lists are written with commas, as every process manager can pass them."""
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, value: SecretStr) -> SecretStr:
        if urlsplit(value.get_secret_value()).scheme not in {"postgres", "postgresql"}:
            raise ValueError("must start with postgresql://")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for entry in value:
            ip_network(entry, strict=False)  # a ValueError that names it
        return value

    @field_validator("rate_limits")
    @classmethod
    def _rates(cls, value: str) -> str:
        rates(value)  # a ValueError that says how they are written
        return value

    @field_validator("metrics_token")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr | None) -> SecretStr | None:
        """Nobody is let in by an empty variable."""
        if value is not None and len(value.get_secret_value()) < 16:
            raise ValueError("must be at least 16 characters")
        return value

    @field_validator("jwt_secret_key", "webhook_token_keys")
    @classmethod
    def _keys_long_enough(cls, value: list[SecretStr]) -> list[SecretStr]:
        """RFC 7518 section 3.2: a key for HMAC-SHA256 is at least as long as its hash."""
        if not value or any(len(key.get_secret_value().encode()) < 32 for key in value):
            raise ValueError("must be one or more keys of at least 32 bytes, separated by commas")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _standard_secrets(cls, value: list[SecretStr]) -> list[SecretStr]:
        """Standard Webhooks: `whsec_` and the base64 of 24 to 64 random bytes."""
        for secret in value:
            prefix, _, text = secret.get_secret_value().partition("_")
            try:
                size = len(base64.b64decode(text, validate=True))
            except ValueError:
                size = 0
            if prefix != "whsec" or not 24 <= size <= 64:
                raise ValueError("must be whsec_ and the base64 of 24 to 64 bytes; several separated by commas")
        return value

    @field_validator("allowed_origins", "media_origins")
    @classmethod
    def _exact_origins(cls, value: list[str]) -> list[str]:
        """Exactly what browsers send as Origin; `*` and `null` would mean any of them."""
        found = [canonical_origin(entry) for entry in value]
        if None in found:
            raise ValueError("must be origins, https://host or http://host:port, without a path, separated by commas")
        return [origin for origin in found if origin]

    @model_validator(mode="after")
    def _lease_outlives_renewal(self) -> Settings:
        if self.lease_seconds < 0.3:
            raise ValueError("LEASE_SECONDS below 0.3 cannot be renewed in time")
        return self

    @model_validator(mode="after")
    def _queue_has_an_address(self) -> Settings:
        if self.use_sqs_queue and not self.sqs_queue_url:
            raise ValueError("USE_SQS_QUEUE needs SQS_QUEUE_URL")
        return self

    @classmethod
    def load(cls, **given: Any) -> Settings:
        """Settings from the environment and `.env`, with `given` on top.

        Raises SettingsMissing with all that is missing or wrong at once, never with a value in it.
        """
        try:
            return cls(**given)
        except ValidationError as error:
            lines = [
                f"  {'.'.join(str(part) for part in item['loc']).upper() or 'settings'}: {item['msg']}"
                for item in error.errors(include_url=False, include_input=False)
            ]
            raise SettingsMissing(
                "The environment does not say enough to start:\n"
                + "\n".join(lines)
                + "\nSee .env.example, or run `yousync up` for a complete local stack."
            ) from None

    @property
    def script_target(self) -> str:
        """Where script recordings are sent for analysis; the token server unless told otherwise."""
        return self.script_target_server_url or self.target_server_url

    @property
    def script_webhook(self) -> str:
        """The webhook handed out with script recordings."""
        return self.script_webhook_url or self.webhook_url
