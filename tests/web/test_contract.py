"""The signature is the contract: parsing, validation, auth, uploads, spellings, and the document drawn from it."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import structlog
from aiohttp import FormData, web
from aiohttp.test_utils import TestClient, TestServer
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel

from tests.web import sample
from tests.web.sample import BUDGET, MAX_BYTES, make_app
from web import metering
from web.contract import Contract
from web.openapi import document
from yousync import errors
from yousync.audio import refusals
from yousync.errors import YouSyncError

Client = TestClient[web.Request, web.Application]
MINA = {"Authorization": "Bearer mina"}


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async with TestClient(TestServer(make_app())) as made:
        yield made


def file_form(size: int, **fields: str) -> FormData:
    form = FormData()
    for name, value in fields.items():
        form.add_field(name, value)
    form.add_field("file", b"x" * size, filename="blob", content_type="audio/webm")
    return form


def raw_form(*parts: tuple[str, bytes], end: bytes = b"--b--\r\n") -> tuple[bytes, dict[str, str]]:
    body = b"".join(b"--b\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n" for head, data in parts) + end
    return body, {"Content-Type": "multipart/form-data; boundary=b"}


FILE = 'Content-Disposition: form-data; name="file"; filename="a.wav"'


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_each_path_is_served_under_four_spellings_without_redirects(
    client: Client, prefix: str, slash: str
) -> None:
    for method, path, status in (
        ("GET", "/clips/5", 200),
        ("HEAD", "/clips/5", 200),
        ("GET", "/clips/latest", 200),
        ("DELETE", "/clips/5", 204),
        ("GET", "/clips/5/events", 200),
        ("HEAD", "/clips/5/events", 405),
    ):
        async with client.request(method, f"{prefix}{path}{slash}", allow_redirects=False) as response:
            assert response.status == status, (method, path)


async def test_values_arrive_validated_and_typed(client: Client) -> None:
    async with client.get("/clips/5?limit=7&tag=a&tag=b&unknown=1", headers=MINA) as response:
        assert response.status == 200
        assert await response.json() == {"id": 5, "name": "mina", "tags": ["a", "b", "7"]}
    async with client.get("/clips/5?limit=1&limit=2") as response:
        assert (await response.json())["tags"] == ["2"]


async def test_every_fault_of_every_location_is_told_at_once(client: Client) -> None:
    async with client.get("/clips/five?limit=0") as response:
        problem = await response.json()
    assert response.status == 422
    assert problem["code"] == "validation_failed"
    assert isinstance(problem["detail"], str)
    assert [(e["pointer"], e["code"]) for e in problem["errors"]] == [
        ("/path/token_id", "int_parsing"),
        ("/query/limit", "greater_than_equal"),
    ]


@pytest.mark.parametrize("token_id", ["0", "-1", "2147483648", "99999999999999999999"])
async def test_an_id_no_row_can_have_is_not_found(client: Client, token_id: str) -> None:
    async with client.get(f"/clips/{token_id}") as response:
        assert response.status == 404
        assert (await response.json())["code"] == "token_not_found"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [({}, 401, "token_missing"), ({"Authorization": "Bearer expired"}, 401, "token_expired"), (MINA, 201, None)],
)
async def test_asking_for_a_user_protects_the_route(
    client: Client, headers: dict[str, str], status: int, code: str | None
) -> None:
    async with client.post("/clips", json={"name": "n", "start_time": 1}, headers=headers) as response:
        assert response.status == status
        assert (await response.json()).get("code") == code


async def test_an_optional_user_is_nobody_without_a_header_and_refused_with_a_bad_one(client: Client) -> None:
    async with client.get("/clips/5") as response:
        assert (await response.json())["name"] == "nobody"
    async with client.get("/clips/5", headers={"Authorization": "Bearer forged"}) as response:
        assert response.status == 401
        assert (await response.json())["code"] == "token_invalid"


@pytest.mark.parametrize(
    ("bearer", "status", "code"),
    [
        (None, 401, "token_missing"),
        ("expired", 401, "token_expired"),
        ("forged", 401, "token_invalid"),
        ("mina", 403, "admin_only"),
        ("boss", 200, None),
    ],
)
async def test_asking_for_an_admin_lets_operators_in_and_nobody_else(
    client: Client, bearer: str | None, status: int, code: str | None
) -> None:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    async with client.delete("/clips", headers=headers) as response:
        found = await response.json()
    assert response.status == status
    assert found == [{"id": 0, "name": "boss", "tags": []}] if code is None else found["code"] == code


async def test_auth_comes_before_validation(client: Client) -> None:
    async with client.post("/clips", data=b"{") as response:
        assert response.status == 401


async def test_a_reply_carries_its_headers_and_a_body_may_have_unknown_fields(client: Client) -> None:
    body = {"name": "이름", "start_time": 1.5, "nobody_knows": {"this": 1}}
    async with client.post("/clips", json=body, headers={**MINA, "Idempotency-Key": "k"}) as response:
        assert response.status == 201
        assert response.headers["Location"] == "/clips/7"
        assert await response.json() == {"id": 7, "name": "이름", "tags": ["mina", "k"]}


async def test_a_whole_number_may_be_written_as_a_fraction(client: Client) -> None:
    for written in (b"7", b"7.0", b"70e-1"):
        async with client.post("/numbers", data=written, headers={"Content-Type": "application/json"}) as response:
            assert (response.status, await response.json()) == (200, 7)


@pytest.mark.parametrize(
    ("data", "content_type", "status", "code"),
    [
        (b"", "application/json", 422, "validation_failed"),
        (b"{", "application/json", 400, "malformed_body"),
        (b"\xff\xfe", "application/json", 400, "malformed_body"),
        (b"[" * 60_000, "application/json", 400, "malformed_body"),
        (b"[]", "application/json", 422, "validation_failed"),
        (b'{"name":"n"}', "application/json", 422, "validation_failed"),
        (b'{"name":"n","start_time":' + b"[" * 500 + b"]" * 500 + b"}", "application/json", 400, "malformed_body"),
        (b'{"name":"n","start_time":"1"}', "application/json", 422, "validation_failed"),
        (b'{"name":"n","start_time":true}', "application/json", 422, "validation_failed"),
        (b'{"name":"n","start_time":NaN}', "application/json", 400, "malformed_body"),
        (b'{"name":"n","start_time":1}', "text/plain", 400, "malformed_body"),
        (b" " * (2**16 + 1), "application/json", 413, "too_large"),
    ],
)
async def test_a_bad_body_has_its_own_answer(
    client: Client, data: bytes, content_type: str, status: int, code: str
) -> None:
    async with client.post("/clips", data=io.BytesIO(data), headers={**MINA, "Content-Type": content_type}) as response:
        assert (response.status, (await response.json())["code"]) == (status, code)


async def test_a_file_arrives_whole_with_the_fields_before_it(client: Client) -> None:
    for size in (0, 1, 65_535, 65_536, MAX_BYTES):
        async with client.post("/clips/5/audio", data=file_form(size, note="안녕", more="x")) as response:
            assert response.status == 202
            assert await response.json() == {"job_id": "job", "size": size, "note": "안녕"}
    assert client.app[BUDGET].in_flight == 0


@pytest.mark.parametrize("filename", ["녹음.wav", "../../etc/passwd", 'quo"te.wav', "x" * 300])
async def test_the_client_names_its_file_as_it_likes(client: Client, filename: str) -> None:
    form = FormData()
    form.add_field("file", b"\r\n--b\r\n" * 50, filename=filename)
    async with client.post("/clips/5/audio", data=form) as response:
        assert (await response.json())["size"] == 350


async def test_one_byte_too_many_is_too_large_declared_or_not(client: Client) -> None:
    async with client.post("/clips/5/audio", data=file_form(MAX_BYTES + 1)) as response:
        assert (response.status, (await response.json())["code"]) == (413, "file_too_large")
    body, headers = raw_form((FILE, b"x" * 3_000_000))

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 50_000):
            yield body[at : at + 50_000]

    async with client.post("/clips/5/audio", data=chunks(), headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (413, "file_too_large")
    assert client.app[BUDGET].in_flight == 0


OTHER = 'Content-Disposition: form-data; name="audio"; filename="a.wav"'
TEXT = 'Content-Disposition: form-data; name="note"'
NAMELESS = 'Content-Disposition: form-data; name="file"'


@pytest.mark.parametrize(
    ("parts", "status", "code"),
    [
        ([(OTHER, b"x")], 422, "validation_failed"),
        ([(TEXT, b"x")], 422, "validation_failed"),
        ([(NAMELESS, b"x")], 422, "validation_failed"),
        ([], 422, "validation_failed"),
        ([(OTHER, b"x"), (FILE, b"x")], 422, "validation_failed"),
        ([(FILE, b"x"), (FILE, b"x")], 422, "validation_failed"),
        ([(FILE, b"x"), (OTHER, b"x")], 422, "validation_failed"),
        ([(FILE, b"x"), (TEXT, b"later")], 202, None),
        ([(FILE + "\r\nContent-Transfer-Encoding: base64", b"eHg=")], 400, "malformed_body"),
        ([(FILE + "\r\nContent-Transfer-Encoding: binary", b"x")], 202, None),
        ([(TEXT + "\r\nContent-Transfer-Encoding: base64", b"eHg="), (FILE, b"x")], 400, "malformed_body"),
        ([(TEXT, b"\xff"), (FILE, b"x")], 400, "malformed_body"),
        ([(TEXT, b"x" * 70_000), (FILE, b"x")], 413, "file_too_large"),
        ([(TEXT, b"x")] * 101 + [(FILE, b"x")], 400, "malformed_body"),
        ([("Content-Type: multipart/mixed; boundary=c", b"--c--"), (FILE, b"x")], 400, "malformed_body"),
        ([("X: " + "y" * 10_000, b""), (FILE, b"x")], 400, "malformed_body"),
    ],
)
async def test_each_odd_form_has_its_own_answer(
    client: Client, parts: list[tuple[str, bytes]], status: int, code: str | None
) -> None:
    body, headers = raw_form(*parts)
    async with client.post("/clips/5/audio", data=body, headers=headers) as response:
        problem = await response.json()
    assert (response.status, problem.get("code")) == (status, code), problem
    if status == 422:
        assert problem["errors"][0]["pointer"] == "/form/file"


async def test_a_form_of_empty_lines_takes_no_time(client: Client) -> None:
    begun = time.process_time()
    for _ in range(4):
        async with client.post("/clips/5/audio", data=b"\n" * 60_000, headers=raw_form()[1]) as response:
            assert response.status == 400
    assert time.process_time() - begun < 0.8


async def test_a_form_of_many_small_parts_costs_no_warnings(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    body, headers = raw_form(*[(TEXT, b"x")] * 90, (FILE, b"x"))
    async with client.post("/clips/5/audio", data=body, headers=headers) as response:
        assert response.status == 202
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 422),
        (b"", "multipart/form-data", 422),
        (b"x", f"multipart/form-data; boundary={'b' * 71}", 422),
        (b"", "multipart/form-data; boundary=b", 400),
        (b"no boundary here", "multipart/form-data; boundary=b", 400),
        (raw_form((FILE, b"cut"), end=b"")[0][:-2], "multipart/form-data; boundary=b", 400),
        (raw_form((FILE, b"x"), end=b"--other\r\n")[0], "multipart/form-data; boundary=b", 400),
        (b"\n" * 70_000, "multipart/form-data; boundary=b", 400),
    ],
)
async def test_what_is_no_form_is_refused(client: Client, body: bytes, content_type: str, status: int) -> None:
    async with client.post("/clips/5/audio", data=body, headers={"Content-Type": content_type}) as response:
        assert response.status == status, await response.text()


async def test_the_budget_of_a_process_is_not_exceeded() -> None:
    async with TestClient(TestServer(make_app(budget=50_000))) as client:
        async with client.post("/clips/5/audio", data=file_form(60_000)) as response:
            assert (response.status, (await response.json())["code"]) == (503, "uploads_busy")
            assert int(response.headers["Retry-After"]) > 0
        async with client.post("/clips/5/audio", data=file_form(40_000)) as response:
            assert response.status == 202
        assert client.app[BUDGET].in_flight == 0


@pytest_asyncio.fixture
async def served() -> AsyncIterator[tuple[web.Application, int]]:
    """The sample as production runs it: handlers are not cancelled when a client leaves (TestServer cancels them)."""
    app = make_app()
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield app, runner.addresses[0][1]
    await runner.cleanup()


async def begin_upload(port: int, *, declared: int, size: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that has sent the first `size` bytes of a file after announcing `declared` bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /clips/5/audio HTTP/1.1\r\nHost: h\r\nContent-Length: {declared}\r\n"
    body, _ = raw_form((FILE, b"x" * size), end=b"")
    writer.write(head.encode() + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + body)
    await writer.drain()
    return reader, writer


async def test_a_declared_length_is_refused_before_the_bytes_are_sent(served: tuple[web.Application, int]) -> None:
    reader, writer = await begin_upload(served[1], declared=50_000_000, size=10)
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()


async def test_a_sender_that_stops_is_too_slow(served: tuple[web.Application, int]) -> None:
    app, port = served
    reader, writer = await begin_upload(port, declared=20_000, size=9_000)
    assert b" 408 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    assert app[BUDGET].in_flight == 0


async def test_a_sender_that_drips_is_too_slow(
    served: tuple[web.Application, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metering, "GRACE_S", 0.2)
    reader, writer = await begin_upload(served[1], declared=20_000, size=1)
    answer = asyncio.ensure_future(reader.readline())
    deadline = asyncio.get_running_loop().time() + 5
    while not answer.done():
        assert asyncio.get_running_loop().time() < deadline
        writer.write(b"x")
        await asyncio.wait({answer}, timeout=0.05)
    assert b" 408 " in await answer
    writer.close()


async def test_a_sender_that_leaves_is_no_error_of_ours(
    served: tuple[web.Application, int], caplog: pytest.LogCaptureFixture
) -> None:
    app, port = served
    with structlog.testing.capture_logs() as events:
        _, writer = await begin_upload(port, declared=20_000, size=9_000)
        writer.close()
        deadline = asyncio.get_running_loop().time() + 5
        while not events:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.01)
    assert [(event["event"], event["status"]) for event in events] == [("request", 499)]
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")], caplog.text
    assert app[BUDGET].in_flight == 0


def test_the_document_is_valid_openapi_3_1() -> None:
    spec = document([sample.routes], title="Sample", version="1", description="d")
    OpenAPIV31SpecValidator(spec).validate()
    assert spec["openapi"] == "3.1.1"


def operation(path: str, method: str) -> dict[str, Any]:
    found: dict[str, Any] = document([sample.routes])["paths"][path][method]
    return found


def test_the_document_says_what_the_signature_says() -> None:
    read = operation("/clips/{token_id}", "get")
    assert (read["operationId"], read["summary"]) == ("get_clip", "Read one clip")
    assert read["description"] == "Signed in or not."
    assert read["security"] == [{}, {"bearer": []}]
    assert [(p["in"], p["name"], p["required"]) for p in read["parameters"]] == [
        ("path", "token_id", True),
        ("query", "limit", False),
        ("query", "tag", False),
    ]
    create = operation("/clips", "post")
    assert create["security"] == [{"bearer": []}]
    assert create["parameters"][0]["name"] == "Idempotency-Key"
    assert create["responses"]["201"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Clip"}
    assert set(create["responses"]) == {"201", "400", "401", "408", "413", "422", "429", "default"}
    codes = create["responses"]["401"]["content"]["application/problem+json"]["schema"]["properties"]["code"]["enum"]
    assert codes == ["token_expired", "token_invalid", "token_missing"]
    administer = operation("/clips", "delete")
    assert administer["security"] == [{"bearer": ["admin"]}]
    assert set(administer["responses"]) == {"200", "401", "403", "429", "default"}
    upload = operation("/clips/{token_id}/audio", "post")["requestBody"]["content"]["multipart/form-data"]["schema"]
    model = document([sample.routes])["components"]["schemas"][upload["$ref"].rsplit("/", 1)[1]]
    assert model["properties"]["file"]["contentMediaType"] == "application/octet-stream"
    assert "text/event-stream" in operation("/clips/{token_id}/events", "get")["responses"]["200"]["content"]
    assert "content" not in operation("/clips/{token_id}", "delete")["responses"]["204"]


def test_a_name_used_twice_is_refused() -> None:
    twice = Contract(tag="t")
    twice.get("/a", name="same")(sample.latest)
    twice.get("/b", name="same")(sample.latest)
    with pytest.raises(ValueError, match="operationId given twice: same"):
        document([twice])


def test_a_parameter_that_is_no_location_is_refused() -> None:
    async def handler(_request: web.Request, *, cookie: BaseModel) -> None:
        del cookie

    with pytest.raises(TypeError, match="cookie is no location"):
        Contract(tag="t").get("/a")(handler)


def test_a_path_and_its_model_must_agree() -> None:
    with pytest.raises(TypeError, match="name different things"):
        Contract(tag="t").get("/clips/{id}")(sample.get_clip)


def test_a_form_without_a_file_is_refused() -> None:
    class NoFile(BaseModel):
        note: str

    async def handler(_request: web.Request, *, form: NoFile) -> None:
        del form

    handler.__annotations__["form"] = NoFile  # a local class is out of reach for get_type_hints
    with pytest.raises(TypeError, match="exactly one AudioFile"):
        Contract(tag="t").post("/a")(handler)


def error_classes(root: type[YouSyncError] = YouSyncError) -> list[type[YouSyncError]]:
    return [root, *(found for child in root.__subclasses__() for found in error_classes(child))]


@pytest.mark.parametrize("error", error_classes(), ids=lambda error: error.__name__)
def test_every_error_can_be_documented(error: type[YouSyncError]) -> None:
    assert 400 <= error.status <= 599
    assert error.code.isidentifier()
    assert error.title
    assert error.title_ko
    assert error.__module__ in (errors.__name__, refusals.__name__)
