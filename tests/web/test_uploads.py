"""What may be uploaded, what becomes of it, and how everything else is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from models.analysis_result import AnalysisResult
from models.script import Script
from models.token import Token
from models.user import User
from tests.audio_samples import GOOD
from tests.factories import bearer_of, make_token, make_user
from tests.standing_in import Control
from tests.valkey_command import command
from tests.web.conftest import form, recording
from tests.web.following import follow
from web.wiring import DEPS
from yousync.settings import Settings


async def upload(
    client: aiohttp.ClientSession, path: str, data: Any, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any], Any]:
    async with client.post(path, data=data, headers=headers) as reply:
        return reply.status, await reply.json(content_type=None), reply.headers


async def staged(app: web.Application) -> set[bytes]:
    return set(await app[DEPS].valkey.keys("yousync:audio:*"))


class TestAccepted:
    async def test_a_sentence_from_upload_to_scores(self, client: aiohttp.ClientSession, script: Script) -> None:
        status, body, headers = await upload(client, f"/scripts/{script.id}/upload-audio", form(recording(pitch=210)))
        assert status == 202
        assert body["status"] == "processing"
        assert headers["Location"] == f"/scripts/analysis-result/{body['job_id']}"
        assert len(body["job_id"]) == 32
        async with client.get(headers["Location"]) as reply:
            assert reply.status == 200, "the job is known at once"
        stream = await follow(client, body["job_id"])
        assert stream.statuses[-1] == "completed"
        assert [word["word"] for word in stream.last["result"]["result"]["word_analysis"]] == script.script.split()

    async def test_a_clip_by_a_learner_who_is_signed_in(
        self, client: aiohttp.ClientSession, script: Script, user: User, bearer: dict[str, str]
    ) -> None:
        path = f"/tokens/{script.token_id}/upload-audio"
        status, body, headers = await upload(client, path, form(recording(pitch=220)), bearer)
        assert status == 202
        assert body["token_info"] == {"id": script.token_id, "s3_textgrid_url": None, "s3_pitch_url": None}
        assert headers["Location"] == f"/tokens/analysis-result/{body['job_id']}"
        assert len(body["job_id"]) == 36
        assert (await follow(client, body["job_id"], noun="tokens")).statuses[-1] == "completed"
        row = await AnalysisResult.get(job_id=body["job_id"])
        assert (row.user_id, row.script_id, row.state) == (user.id, None, "completed")

    async def test_the_sentence_and_its_learner_are_remembered(
        self, client: aiohttp.ClientSession, app: web.Application, script: Script, user: User, bearer: dict[str, str]
    ) -> None:
        audio = recording(pitch=230)
        _, body, _ = await upload(client, f"/scripts/{script.id}/upload-audio", form(audio), bearer)
        await follow(client, body["job_id"])
        row = await AnalysisResult.get(job_id=body["job_id"])
        assert (row.user_id, row.token_id, row.script_id) == (user.id, script.token_id, script.id)
        assert row.s3_key == f"user_audio/{user.id}/{script.token_id}/{script.id}/{body['job_id']}.wav"
        assert await app[DEPS].storage.size(row.s3_key) == len(audio)

    async def test_the_analysis_server_is_told_full_addresses_as_they_are(
        self, client: aiohttp.ClientSession, settings: Settings, bearer: dict[str, str], analysis: Control
    ) -> None:
        """Our bucket is named for a bare key alone, and nothing for nothing."""
        bucket = settings.s3_bucket_name
        for number, (stored, told) in enumerate(
            [
                ("a/pitch.json", f"s3://{bucket}/a/pitch.json"),
                ("s3://older/pitch.json", "s3://older/pitch.json"),
                ("https://files.example.com/pitch.json", "https://files.example.com/pitch.json"),
            ]
        ):
            token = await make_token()
            await Token.filter(id=token.id).update(s3_pitch_url=stored)
            audio = form(recording(pitch=236 + number))
            _, body, _ = await upload(client, f"/tokens/{token.id}/upload-audio", audio, bearer)
            await follow(client, body["job_id"], noun="tokens")
            [request] = await analysis.requests(body["job_id"])
            fields = request["fields"]
            assert (fields["s3_pitch_url"], fields["s3_textgrid_url"]) == (told, "")
            assert fields["s3_audio_url"] == f"s3://{bucket}/audio/{body['job_id']}.wav"

    @pytest.mark.parametrize("spelling", ["/scripts/{}/upload-audio/", "/api/scripts/{}/upload-audio"])
    async def test_every_spelling_of_the_path(
        self, client: aiohttp.ClientSession, script: Script, spelling: str
    ) -> None:
        status, body, headers = await upload(client, spelling.format(script.id), form(recording(pitch=240)))
        prefix = "/api" if spelling.startswith("/api/") else ""  # a proxy may pass on nothing else
        assert (status, headers["Location"]) == (202, f"{prefix}/scripts/analysis-result/{body['job_id']}")

    async def test_the_same_bytes_again_are_the_same_job(self, client: aiohttp.ClientSession, script: Script) -> None:
        """Frontends send again up to twice when an answer is lost."""
        path, audio = f"/scripts/{script.id}/upload-audio", recording(pitch=250)
        rows = await AnalysisResult.all().count()
        replies = await asyncio.gather(*(upload(client, path, form(audio)) for _ in range(8)))
        assert {status for status, _, _ in replies} == {202}
        assert len({body["job_id"] for _, body, _ in replies}) == 1
        assert await AnalysisResult.all().count() == rows + 1

    async def test_the_same_bytes_of_another_learner_are_not(
        self, client: aiohttp.ClientSession, script: Script, bearer: dict[str, str]
    ) -> None:
        path, audio = f"/scripts/{script.id}/upload-audio", recording(pitch=260)
        _, anonymous, _ = await upload(client, path, form(audio))
        _, own, _ = await upload(client, path, form(audio), bearer)
        assert anonymous["job_id"] != own["job_id"]

    async def test_an_idempotency_key_goes_over_the_content(
        self, client: aiohttp.ClientSession, script: Script
    ) -> None:
        path = f"/scripts/{script.id}/upload-audio"
        _, first, _ = await upload(client, path, form(recording(pitch=270)), {"Idempotency-Key": "k1"})
        _, again, _ = await upload(client, path, form(recording(pitch=280)), {"Idempotency-Key": "k1"})
        _, other, _ = await upload(client, path, form(recording(pitch=270)), {"Idempotency-Key": "k2"})
        assert first["job_id"] == again["job_id"] != other["job_id"]

    @pytest.mark.parametrize("name", ["../../etc/passwd", "a\\b.exe", "x" * 250, "노래.mp3", ""])
    async def test_names_and_types_play_no_part(self, client: aiohttp.ClientSession, script: Script, name: str) -> None:
        data = aiohttp.FormData()
        audio = recording(pitch=290 + len(name))
        data.add_field("file", audio, filename=name or "x", content_type="text/html")
        status, body, _ = await upload(client, f"/scripts/{script.id}/upload-audio", data)
        assert status == 202
        row = await AnalysisResult.get(job_id=body["job_id"])
        assert row.s3_key == f"audio/{body['job_id']}.wav"


@pytest.mark.parametrize("sample", sorted(GOOD))
async def test_every_format_that_browsers_record(client: aiohttp.ClientSession, script: Script, sample: str) -> None:
    container, make = GOOD[sample]
    status, body, _ = await upload(client, f"/scripts/{script.id}/upload-audio", form(make()))
    assert status == 202, body
    row = await AnalysisResult.get(job_id=body["job_id"])
    assert row.s3_key.rsplit(".", 1)[1] == container


class TestRefused:
    @pytest.mark.parametrize(
        ("audio", "status", "code"),
        [
            (b"", 422, "audio_empty"),
            (recording()[:44], 422, "audio_empty"),
            (b"<html>not found</html>", 422, "audio_unrecognised"),
            (b"PK\x03\x04" + bytes(500), 422, "audio_unrecognised"),
            (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\nfile:///etc/passwd\n", 422, "audio_unrecognised"),
            (recording(61.0), 422, "audio_too_long"),
        ],
        ids=["empty", "header only", "html", "zip", "playlist", "too long"],
    )
    async def test_what_is_no_recording(
        self,
        client: aiohttp.ClientSession,
        app: web.Application,
        script: Script,
        audio: bytes,
        status: int,
        code: str,
    ) -> None:
        before, rows = await staged(app), await AnalysisResult.all().count()
        got, body, headers = await upload(client, f"/scripts/{script.id}/upload-audio", form(audio))
        assert (got, body["code"]) == (status, code)
        assert headers["Content-Type"].startswith("application/problem+json")
        assert await staged(app) <= before
        assert await AnalysisResult.all().count() == rows

    async def test_one_byte_too_many(self, client: aiohttp.ClientSession, settings: Settings, script: Script) -> None:
        over = b"RIFF" + bytes(settings.max_upload_bytes - 3)
        status, body, _ = await upload(client, f"/scripts/{script.id}/upload-audio", form(over))
        assert (status, body["code"]) == (413, "file_too_large")

    @pytest.mark.parametrize("field", ["audio", "files", ""])
    async def test_a_file_in_another_field(self, client: aiohttp.ClientSession, script: Script, field: str) -> None:
        status, body, _ = await upload(client, f"/scripts/{script.id}/upload-audio", form(recording(), field=field))
        assert (status, body["code"]) == (422, "validation_failed")
        assert body["errors"][0]["pointer"] == "/form/file"

    async def test_two_files(self, client: aiohttp.ClientSession, app: web.Application, script: Script) -> None:
        before = await staged(app)
        data = form(recording(pitch=300))
        data.add_field("file", recording(pitch=301), filename="b.wav")
        status, body, _ = await upload(client, f"/scripts/{script.id}/upload-audio", data)
        assert (status, body["code"]) == (422, "validation_failed")
        assert await staged(app) <= before

    async def test_no_form_at_all(self, client: aiohttp.ClientSession, script: Script) -> None:
        status, body, _ = await upload(client, f"/scripts/{script.id}/upload-audio", b"RIFF")
        assert (status, body["code"]) == (422, "validation_failed")

    @pytest.mark.parametrize("number", ["999999", "0", "2147483648", "-1"])
    async def test_a_sentence_or_clip_that_is_not_there(
        self, client: aiohttp.ClientSession, bearer: dict[str, str], number: str
    ) -> None:
        status, body, _ = await upload(client, f"/scripts/{number}/upload-audio", form(recording()))
        assert (status, body["code"]) == (404, "script_not_found")
        status, body, _ = await upload(client, f"/tokens/{number}/upload-audio", form(recording()), bearer)
        assert (status, body["code"]) == (404, "token_not_found")

    async def test_an_id_that_is_no_number(self, client: aiohttp.ClientSession) -> None:
        status, body, _ = await upload(client, "/scripts/one/upload-audio", form(recording()))
        assert (status, body["code"]) == (422, "validation_failed")

    async def test_an_address_with_too_many_in_flight(
        self, client: aiohttp.ClientSession, app: web.Application, settings: Settings, script: Script
    ) -> None:
        """Whoever is not signed in counts by their address; no header of theirs makes it another one."""
        valkey, owner = app[DEPS].valkey, "yousync:owner:address:127.0.0.1"
        jobs = [f"job-{number}" for number in range(settings.max_jobs_per_address)]
        await command(valkey, "SADD", owner, *jobs)
        try:
            path = f"/scripts/{script.id}/upload-audio"
            headers = {"X-Forwarded-For": "192.0.2.1"}
            status, body, _ = await upload(client, path, form(recording(pitch=305)), headers)
        finally:
            await command(valkey, "SREM", owner, *jobs)
        assert (status, body["code"]) == (429, "too_many_jobs")

    async def test_a_learner_with_too_many_in_flight(
        self, client: aiohttp.ClientSession, app: web.Application, settings: Settings, script: Script, user: User
    ) -> None:
        valkey, owner = app[DEPS].valkey, f"yousync:owner:user:{user.id}"
        await command(valkey, "SADD", owner, *(f"job-{number}" for number in range(settings.max_jobs_per_user)))
        token = await bearer_of(settings, user)
        try:
            path = f"/scripts/{script.id}/upload-audio"
            status, body, headers = await upload(client, path, form(recording(pitch=310)), token)
        finally:
            await valkey.delete(owner)
        assert (status, body["code"]) == (429, "too_many_jobs")
        assert int(headers["Retry-After"]) > 0


class TestSignedIn:
    async def test_clips_need_it(self, client: aiohttp.ClientSession, script: Script) -> None:
        status, body, headers = await upload(client, f"/tokens/{script.token_id}/upload-audio", form(recording()))
        assert (status, body["code"]) == (401, "token_missing")
        assert headers["WWW-Authenticate"].startswith("Bearer")

    @pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer ", "Basic dTpw", "Bearer a.b.c"])
    async def test_a_broken_token_is_never_anonymous(
        self, client: aiohttp.ClientSession, script: Script, header: str
    ) -> None:
        path = f"/scripts/{script.id}/upload-audio"
        status, body, headers = await upload(client, path, form(recording()), {"Authorization": header})
        assert (status, body["code"]) == (401, "token_invalid")
        assert "WWW-Authenticate" in headers

    async def test_an_expired_token_is_never_anonymous(
        self, client: aiohttp.ClientSession, settings: Settings, script: Script, user: User
    ) -> None:
        past = settings.model_copy(update={"access_token_hours": -1.0})
        header = await bearer_of(past, user)
        status, body, _ = await upload(client, f"/scripts/{script.id}/upload-audio", form(recording()), header)
        assert (status, body["code"]) == (401, "token_expired")

    async def test_a_user_who_is_gone_or_deactivated_is_nobody(
        self, client: aiohttp.ClientSession, settings: Settings, script: Script
    ) -> None:
        former, gone = await make_user(), await make_user()
        headers = [await bearer_of(settings, user) for user in (former, gone)]
        await User.filter(id=former.id).update(is_active=False)
        await User.filter(id=gone.id).delete()
        for header in headers:
            status, body, _ = await upload(client, f"/scripts/{script.id}/upload-audio", form(recording()), header)
            assert (status, body["code"]) == (401, "token_invalid")
