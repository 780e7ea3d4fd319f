"""Rate limits: the script is the algorithm it says it is, and requests are counted against whoever makes them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from fractions import Fraction
from typing import get_args

import aiohttp
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st
from redis.asyncio import Redis

from models.user import User
from tests.factories import bearer_of, make_script, make_user
from tests.waiting import until
from tests.web.conftest import form, recording, serving
from web.app import CONTRACTS, make_app
from web.endpoint import Limit
from web.limits import SCRIPT, Limits
from yousync.local.port import free_port
from yousync.rates import ADDRESS_SHARE, DEFAULTS, Rate, rates
from yousync.settings import Settings
from yousync.valkey import connect

ORIGIN = "https://app.example.com"
SCRIPT_AT = SCRIPT.replace("redis.call('TIME')", "{ARGV[3], ARGV[4]}")
"""The same with the time given."""


@pytest_asyncio.fixture(scope="module")
async def valkey(settings: Settings) -> AsyncIterator[Redis]:
    async with connect(settings.redis_url.get_secret_value()) as client:
        yield client


class Model:
    """A bucket of `burst` that gets one back every `interval`, in exact numbers."""

    def __init__(self, burst: int, interval: int) -> None:
        self.burst, self.interval = burst, interval
        self.level, self.at = Fraction(burst), 0

    def ask(self, now: int) -> tuple[bool, int, int, int]:
        """As the script answers; times in µs."""
        self.level = min(Fraction(self.burst), self.level + Fraction(max(0, now - self.at), self.interval))
        self.at = max(self.at, now)
        allowed = self.level >= 1
        if allowed:
            self.level -= 1
        wait = max(Fraction(0), (1 - self.level) * self.interval)
        return allowed, math.floor(self.level), int(wait), int((self.burst - self.level) * self.interval)


@given(
    burst=st.integers(1, 6),
    interval=st.integers(20_000_000, 90_000_000),  # long enough that nothing expires while the test runs
    steps=st.lists(st.one_of(st.just(0), st.integers(0, 200_000_000)), min_size=1, max_size=12),
)
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_script_is_a_bucket_that_fills_evenly(
    valkey: Redis, burst: int, interval: int, steps: list[int]
) -> None:
    await valkey.delete("gcra")
    model, now = Model(burst, interval), 1_790_000_000_000_000
    async with valkey.pipeline(transaction=False) as pipeline:
        expected = []
        for step in steps:
            now += step
            pipeline.eval(SCRIPT_AT, 1, "gcra", *map(str, (burst, interval, now // 1_000_000, now % 1_000_000)))
            expected.append(list(model.ask(now)))
        assert [[bool(reply[0]), *reply[1:]] for reply in await pipeline.execute()] == expected


async def test_a_clock_that_was_set_back_locks_nobody_out(valkey: Redis) -> None:
    await valkey.delete("gcra")
    async with valkey.pipeline(transaction=False) as pipeline:
        for second in (2_000_000_000, 1_000_000_000):
            pipeline.eval(SCRIPT_AT, 1, "gcra", *map(str, (2, 10_000_000, second, 0)))
        assert [reply[2:] for reply in await pipeline.execute()] == [[0, 10_000_000], [10_000_000, 20_000_000]]


async def test_at_once_exactly_the_burst_gets_in_and_nothing_is_left_behind(valkey: Redis, settings: Settings) -> None:
    limits = Limits(valkey, settings)
    verdicts = await asyncio.gather(*(limits.take("crowd", 20, 3) for _ in range(60)))
    assert sum(verdict is not None and verdict.allowed for verdict in verdicts) == 20
    assert 0 < await valkey.pttl("crowd") <= 3000


async def test_a_valkey_that_is_away_refuses_nobody_and_holds_nobody_up(settings: Settings) -> None:
    async with connect(f"redis://127.0.0.1:{free_port()}/0") as nowhere:
        limits = Limits(nowhere, settings)
        assert await limits.take("x", 1, 60) is None
        begun = asyncio.get_running_loop().time()
        for _ in range(1000):
            assert await limits.take("x", 1, 60) is None
        assert asyncio.get_running_loop().time() - begun < 0.5


def test_each_limit_that_a_route_may_name_has_a_rate() -> None:
    assert set(get_args(Limit)) == {*DEFAULTS, "none"}


def test_only_monitors_and_analysis_servers_are_not_limited() -> None:
    free = {endpoint.path for each in CONTRACTS for endpoint in each.endpoints if endpoint.limit == "none"}
    assert {"/health", "/livez", "/readyz"} <= free
    webhooks = {endpoint.path for each in CONTRACTS for endpoint in each.endpoints if "/webhook/" in endpoint.path}
    assert free - {"/health", "/livez", "/readyz"} == webhooks


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("off", {}),
        ("on", dict(DEFAULTS)),
        ("upload=5/60", {**DEFAULTS, "upload": Rate(5, 60)}),
        ("login=off, default=1/2", {**{k: v for k, v in DEFAULTS.items() if k != "login"}, "default": Rate(1, 2)}),
    ],
)
def test_the_setting_says_what_is_changed(text: str, expected: dict[str, Rate]) -> None:
    assert rates(text) == expected


@pytest.mark.parametrize("text", ["", "yes", "upload", "upload=5", "upload=0/60", "upload=-1/60", "nobody=1/2"])
def test_what_it_cannot_mean_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be on, off"):
        rates(text)


# --- over HTTP ----------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module")
async def limited(settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    """A service with small limits behind a proxy that is ours."""
    given = {
        "rate_limits": "default=4/600,upload=2/600",
        "max_streams_per_address": 2,
        "sse_keepalive_seconds": 0.3,
        "trusted_proxies": ["127.0.0.1"],
        "allowed_origins": [ORIGIN],
    }
    async with (
        serving(make_app(settings.model_copy(update=given), with_worker=False), settings.port),
        aiohttp.ClientSession(f"http://127.0.0.1:{settings.port}") as session,
    ):
        yield session


def coming_from(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address, "Origin": ORIGIN}


async def ask(client: aiohttp.ClientSession, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    async with client.get(path, headers=headers) as response:
        return response.status, {name: response.headers.get(name, "") for name in ("RateLimit", "RateLimit-Policy")}


async def test_an_address_is_told_what_is_left_and_then_refused_readably(limited: aiohttp.ClientSession) -> None:
    headers = coming_from("192.0.2.1")
    allowed = 4 * ADDRESS_SHARE
    for left in range(allowed - 1, -1, -1):
        async with limited.get("/" if left % 2 else "/api/", headers=headers) as response:
            assert response.status == 200
            assert response.headers["RateLimit-Policy"] == f'"default";q={allowed};w=600'
            assert response.headers["RateLimit"].startswith(f'"default";r={left};t=')
    async with limited.get("/", headers=headers) as response:
        problem = await response.json(content_type=None)
        assert (response.status, problem["code"]) == (429, "rate_limited")
        assert 1 <= int(response.headers["Retry-After"]) <= 30
        assert response.headers["RateLimit"].startswith('"default";r=0;t=')
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "RateLimit" in response.headers["Access-Control-Expose-Headers"]
    async with limited.get("/", headers=coming_from("192.0.2.2")) as response:
        assert response.status == 200
    async with limited.get("/livez", headers=headers) as response:
        assert (response.status, "RateLimit" in response.headers) == (200, False)
    asked = {**headers, "Access-Control-Request-Method": "GET"}
    async with limited.options("/", headers=asked) as response:
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (204, ORIGIN)


async def test_an_ipv6_subscriber_is_one(limited: aiohttp.ClientSession) -> None:
    for host, left in ((1, 19), (2, 18), (0xFFFF, 17)):
        _, told = await ask(limited, "/", **coming_from(f"2001:db8:1:2::{host:x}"))
        assert told["RateLimit"].startswith(f'"default";r={left};')


async def test_what_a_client_writes_about_its_address_is_not_believed(limited: aiohttp.ClientSession) -> None:
    for n, left in enumerate((19, 18, 17)):
        _, told = await ask(limited, "/", **coming_from(f"203.0.113.{n}, 192.0.2.9"))
        assert told["RateLimit"].startswith(f'"default";r={left};')


@pytest.mark.parametrize(("scheme", "told"), [("https", True), ("http, https", True), ("http", False), ("", False)])
async def test_browsers_behind_our_https_proxy_are_told_to_stay_with_https(
    limited: aiohttp.ClientSession, *, scheme: str, told: bool
) -> None:
    for path in ("/livez", "/nowhere"):
        async with limited.get(path, headers={"X-Forwarded-Proto": scheme}) as response:
            assert ("Strict-Transport-Security" in response.headers) is told


async def test_users_are_counted_each_for_themselves_wherever_they_are(
    limited: aiohttp.ClientSession, settings: Settings
) -> None:
    async def uploads(user: User, address: str) -> int:
        headers = {**coming_from(address), **await bearer_of(settings, user)}
        async with limited.post("/scripts/1/upload-audio", data=form(b"no sound"), headers=headers) as response:
            assert (response.status == 429) == ("Retry-After" in response.headers)
            return response.status

    one, other = await make_user(), await make_user()
    assert [await uploads(one, f"198.51.100.{n}") for n in range(3)] == [404, 404, 429]
    assert await uploads(other, "198.51.100.0") == 404


async def test_who_guesses_tokens_is_counted_as_an_address(limited: aiohttp.ClientSession) -> None:
    statuses = []
    for n in range(2 * ADDRESS_SHARE + 1):
        headers = {**coming_from("192.0.2.77"), "Authorization": f"Bearer guess-{n}"}
        async with limited.post("/scripts/1/upload-audio", headers=headers) as response:
            statuses.append(response.status)
    assert statuses == [401] * (2 * ADDRESS_SHARE) + [429]


async def test_an_address_has_so_many_streams_open_and_a_place_again_when_one_ends(
    limited: aiohttp.ClientSession, settings: Settings
) -> None:
    script = await make_script()
    path, headers = f"/scripts/{script.id}/upload-audio", coming_from("198.51.100.50")
    async with limited.post(path, data=form(recording()), headers=headers) as response:
        job = f"/scripts/analysis-progress/{(await response.json())['job_id']}"  # nobody works on it
    streams = [await limited.get(job, headers=headers) for _ in range(2)]
    assert [stream.status for stream in streams] == [200, 200]
    async with limited.get(job, headers=headers) as refused:
        assert (refused.status, (await refused.json(content_type=None))["code"]) == (429, "too_many_streams")
        assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert int(refused.headers["Retry-After"]) > 0
    async with limited.get(job, headers=coming_from("198.51.100.51")) as other:
        assert other.status == 200
    streams.pop().close()

    async def one_is_left() -> bool:
        async with limited.get("/metrics") as response:
            return "yousync_streams_open 1.0" in await response.text()

    await until(one_is_left)
    async with limited.get(job, headers=headers) as again:
        assert again.status == 200
    streams.pop().close()


# --- as it is set out of the box ----------------------------------------------------------------------------------


async def test_what_the_web_app_does_is_never_limited(valkey: Redis, settings: Settings) -> None:
    limits = Limits(valkey, settings)
    page = await asyncio.gather(*(limits.take("page", DEFAULTS["default"].count, 60) for _ in range(11)))
    retries = [await limits.take("retries", DEFAULTS["upload"].count, 60) for _ in range(3)]
    assert all(verdict is not None and verdict.allowed for verdict in [*page, *retries])
    # An upload that fails is sent again after 2 and 4 s, for ever by an impatient learner.
    assert DEFAULTS["upload"].seconds / DEFAULTS["upload"].count <= 2


async def test_a_loop_over_the_bookmark_list_is_stopped(valkey: Redis, settings: Settings) -> None:
    limits = Limits(valkey, settings)
    rate = DEFAULTS["bookmarks"]
    verdicts = await asyncio.gather(*(limits.take("loop", rate.count, rate.seconds) for _ in range(100)))
    assert sum(verdict is not None and verdict.allowed for verdict in verdicts) <= rate.count + 1
