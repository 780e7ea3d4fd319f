"""A bad environment is told whole, at once, and without its secrets."""

from __future__ import annotations

import pytest

from tests.yousync.test_webhooks import with_keys
from yousync.settings import Settings, SettingsMissing


def test_all_that_is_missing_is_named_with_the_way_out() -> None:
    with pytest.raises(SettingsMissing) as caught:
        Settings.load(_env_file=None)
    text = str(caught.value)
    for name in ("DATABASE_URL", "REDIS_URL", "S3_BUCKET_NAME", "JWT_SECRET_KEY", "WEBHOOK_TOKEN_KEYS"):
        assert name in text
    assert "yousync up" in text


def test_short_keys_are_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsMissing) as caught:
        with_keys("short-secret")
    assert "WEBHOOK_TOKEN_KEYS" in str(caught.value)
    assert "short-secret" not in str(caught.value)
    with pytest.raises(SettingsMissing) as caught:
        Settings.load(_env_file=None, **(with_keys("w" * 32).model_dump() | {"jwt_secret_key": "tiny-secret"}))
    assert "JWT_SECRET_KEY" in str(caught.value)
    assert "tiny-secret" not in str(caught.value)


def test_lists_are_written_with_commas() -> None:
    base = with_keys("w" * 32).model_dump() | {"trusted_proxies": "10.0.0.0/8, 127.0.0.1", "google_client_id": ""}
    settings = Settings.load(_env_file=None, **base)
    assert settings.trusted_proxies == ["10.0.0.0/8", "127.0.0.1"]
    assert settings.google_client_id == []


def test_scripts_go_where_tokens_go_unless_told_otherwise() -> None:
    settings = with_keys("w" * 32)
    assert settings.script_target == settings.target_server_url
    assert settings.script_webhook == settings.webhook_url
    told = settings.model_copy(update={"script_target_server_url": "http://other"})
    assert told.script_target == "http://other"


def test_printing_it_shows_no_secret() -> None:
    assert "w" * 32 not in repr(with_keys("w" * 32))
