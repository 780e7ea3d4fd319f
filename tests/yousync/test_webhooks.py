"""The token in a webhook URL: one job's, unguessable, and good through a rotation of keys."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, strategies as st

from yousync.settings import Settings
from yousync.webhooks import sign, url, verify

OLD, NEW = "o" * 32, "n" * 32


def with_keys(*keys: str) -> Settings:
    return Settings.load(
        _env_file=None,
        database_url="postgresql://x",
        redis_url="redis://x",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        s3_bucket_name="x",
        target_server_url="http://x",
        webhook_url="https://x",
        jwt_secret_key="j" * 64,
        webhook_token_keys=",".join(keys),
    )


def test_a_token_is_good_for_its_own_job_only() -> None:
    settings = with_keys(NEW)
    token = sign(settings, "a")
    assert verify(settings, "a", token)
    assert not verify(settings, "b", token)
    assert sign(settings, "a") == token, "the same on every re-send"


def test_keys_rotate_with_jobs_in_flight() -> None:
    handed_out = sign(with_keys(OLD), "a")
    assert verify(with_keys(NEW, OLD), "a", handed_out)
    assert sign(with_keys(NEW, OLD), "a") == sign(with_keys(NEW), "a")
    assert not verify(with_keys(NEW), "a", handed_out)


@given(st.text())
def test_no_other_text_is_a_token(text: str) -> None:
    settings = with_keys(NEW)
    assert verify(settings, "a", text) == (text == sign(settings, "a"))


@pytest.mark.parametrize("base", ["https://api.example/hook", "https://api.example/hook?tenant=7&empty="])
def test_the_url_keeps_the_query_it_has(base: str) -> None:
    settings = with_keys(NEW)
    made = urlsplit(url(settings, base, "a"))
    assert f"{made.scheme}://{made.netloc}{made.path}" == "https://api.example/hook"
    query = parse_qs(made.query, keep_blank_values=True)
    assert query.pop("job_id") == ["a"]
    assert query.pop("token") == [sign(settings, "a")]
    assert query == parse_qs(urlsplit(base).query, keep_blank_values=True)
