"""The token in a webhook URL: one job's, unguessable, and good through a rotation of keys."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, strategies as st

from yousync.settings import Settings, SettingsMissing
from yousync.webhooks import TOLERANCE_SECONDS, is_signed, sign, signature, url, verify

# The example that Standard Webhooks' own libraries are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER = "whsec_" + "b3RoZXI" * 8 + "="
OLD, NEW = "o" * 32, "n" * 32


def with_keys(*keys: str, secrets: str = "") -> Settings:
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
        webhook_secret=secrets,
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


def signed(*, secrets: str = SECRET, now: float = AT, **changes: Any) -> bool:
    """Whether the example is taken, with changes."""
    message: dict[str, Any] = {
        "message_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "timestamp": str(AT),
        "signatures": SIGNATURE,
        "body": BODY,
    }
    return is_signed(with_keys(NEW, secrets=secrets), now=now, **(message | changes))


def test_the_published_example_is_signed() -> None:
    assert signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", str(AT), BODY) == SIGNATURE
    assert signed()


def test_secrets_rotate_on_either_side() -> None:
    assert signed(secrets=f"{OTHER},{SECRET}")
    assert signed(signatures=f"v1a,AAAA v1,AAAA {SIGNATURE}")
    assert not signed(secrets=OTHER)
    assert not signed(secrets=""), "nothing is signed where there is no secret"


@pytest.mark.parametrize(
    "changes",
    [
        {"message_id": ""},
        {"message_id": "msg_other"},
        {"timestamp": ""},
        {"timestamp": str(AT + 1)},
        {"timestamp": f"{AT}.0"},
        {"timestamp": f" {AT}"},
        {"timestamp": "١٦١٤٢٦٥٣٣٠"},
        {"timestamp": "9" * 5000},
        {"signatures": ""},
        {"signatures": SIGNATURE.removeprefix("v1,")},
        {"signatures": SIGNATURE.replace("v1,", "v2,")},
        {"signatures": SIGNATURE[:-4]},
        {"signatures": "v1,한글"},
        {"signatures": "v1,\udce9"},
        {"body": b'{"test":2432232314}'},
        {"body": b""},
    ],
    ids=repr,
)
def test_anything_else_is_not(changes: dict[str, Any]) -> None:
    assert not signed(**changes)


@pytest.mark.parametrize("side", [-1, 1])
def test_only_what_was_signed_within_minutes(side: int) -> None:
    assert signed(now=AT + side * TOLERANCE_SECONDS)
    assert not signed(now=AT + side * (TOLERANCE_SECONDS + 1))


@pytest.mark.parametrize(
    "wrong", ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_not base64!", SECRET + ",x"]
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(wrong: str) -> None:
    with pytest.raises(SettingsMissing) as caught:
        with_keys(NEW, secrets=wrong)
    assert "WEBHOOK_SECRET" in str(caught.value)
    assert wrong not in str(caught.value)
