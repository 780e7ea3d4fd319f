"""Files are fetched from hosts on the list, at public addresses, and from nowhere else, however it is asked for."""

from __future__ import annotations

import gzip
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override

from yousync.fetching import MAX_BYTES, Fetcher, FetchRefused, is_public, open_fetcher


class Names(AbstractResolver):
    """A name server that says what a test put there, answer by answer."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = 0

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        address = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        version = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
        return [
            ResolveResult(hostname=host, host=address, port=port, family=version, proto=0, flags=socket.AI_NUMERICHOST)
        ]

    @override
    async def close(self) -> None:
        return None


class Host:
    """A web server on loopback that says what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.port = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        match request.path:
            case "/pitch.json":
                return web.Response(body=b"[]", headers={"Connection": "close"})
            case "/elsewhere":
                return web.Response(status=302, headers={"Location": f"http://127.0.0.1:{self.port}/pitch.json"})
            case "/large":
                return web.Response(body=b"x" * (MAX_BYTES + 1))
            case "/bomb":
                return web.Response(body=gzip.compress(bytes(MAX_BYTES + 1)), headers={"Content-Encoding": "gzip"})
            case _:
                raise web.HTTPNotFound


@pytest_asyncio.fixture
async def host() -> AsyncIterator[Host]:
    made, app = Host(), web.Application()
    app.router.add_get("/{any:.*}", made.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


def loopback(address: str) -> bool:
    """What tests take for public."""
    return ip_address(address).is_loopback


async def refused(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(FetchRefused) as refusal:
        await fetcher.get(url)
    return str(refusal.value)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.1",
        ),
        *("100.100.100.200", "192.0.0.192", "168.63.129.16", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808", "2002:7f00:1::"),
        *("2001::1", "64:ff9b:1::1", "localhost", ""),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111"])
def test_addresses_that_are(address: str) -> None:
    assert is_public(address)


async def test_a_file_is_fetched_from_a_host_on_the_list(host: Host) -> None:
    origin = f"http://files.example.com:{host.port}"
    async with open_fetcher([origin], resolver=Names("127.0.0.1"), allowed=loopback) as fetcher:
        assert await fetcher.get(f"{origin}/pitch.json?x=1") == b"[]"


async def test_hosts_that_are_not_on_the_list_are_not_even_looked_up(host: Host) -> None:
    names = Names("127.0.0.1")
    async with open_fetcher(["http://files.example.com"], resolver=names, allowed=loopback) as fetcher:
        for url in (
            f"http://files.example.com:{host.port}/pitch.json",
            "https://files.example.com/pitch.json",
            "http://files.example.com.evil.example/",
            "http://files.example.com@evil.example/",
            "http://evil.example#@files.example.com/",
            "http://evil.example\\@files.example.com/",
            "http://user@files.example.com/",
            f"http://127.0.0.1:{host.port}/pitch.json",
            "http://2130706433/",
            "http://0x7f.1/",
            "file:///etc/passwd",
            "//files.example.com/",
            "pitch.json",
            "http://[::1/",
        ):
            await refused(fetcher, url)
    assert (names.asked, host.asked) == (0, [])


async def test_a_name_that_leads_inside_is_never_connected_to(host: Host) -> None:
    origin = f"http://files.example.com:{host.port}"
    for address in ("127.0.0.1", "::ffff:127.0.0.1"):
        async with open_fetcher([origin], resolver=Names(address)) as fetcher:
            assert "not public" in await refused(fetcher, f"{origin}/pitch.json")
    literal = f"http://127.0.0.1:{host.port}"
    async with open_fetcher([literal]) as fetcher:
        assert "not public" in await refused(fetcher, f"{literal}/pitch.json")
    assert host.asked == []


async def test_a_name_that_changes_its_mind_is_looked_at_each_time(host: Host) -> None:
    """DNS rebinding: a name that was good is asked again for each connection, and that answer is the one used."""
    origin = f"http://files.example.com:{host.port}"
    names = Names("127.0.0.1", "127.0.0.2")
    async with open_fetcher([origin], resolver=names, allowed=lambda address: address == "127.0.0.1") as fetcher:
        await fetcher.get(f"{origin}/pitch.json")
        assert "not public" in await refused(fetcher, f"{origin}/pitch.json")
    assert (host.asked, names.asked) == (["/pitch.json"], 2)


@pytest.mark.parametrize("path", ["elsewhere", "large", "bomb", "missing"])
async def test_redirects_errors_and_large_files_are_refused(host: Host, path: str) -> None:
    origin = f"http://files.example.com:{host.port}"
    async with open_fetcher([origin], resolver=Names("127.0.0.1"), allowed=loopback) as fetcher:
        await refused(fetcher, f"{origin}/{path}")
    assert host.asked == [f"/{path}"], "and nothing else was asked for"
