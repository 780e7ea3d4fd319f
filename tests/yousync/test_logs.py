"""Logs: one event a line, with ids and times, from every library, and never with a secret in it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr
from typing_extensions import override

from yousync import logs
from yousync.redaction import is_secret, redact, scrub

CANARY = "hunter2canary"
JWT = f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.{CANARY}"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """`configure` is global; leave the test session's own logging as it was."""
    root = logging.getLogger()
    level, handlers, raising = root.level, root.handlers[:], logging.raiseExceptions
    yield
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)
    logging.raiseExceptions = raising
    logging.captureWarnings(False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(capsys)


class Console:
    """What has been written to stderr so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._read = ""

    def getvalue(self) -> str:
        self._read += self._capsys.readouterr().err
        return self._read


def fail(message: str, cause: Exception | None = None) -> None:
    raise ValueError(message) from cause


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_an_event_is_one_json_line_with_time_level_and_ids(stderr: Console) -> None:
    logs.configure("info", "json")
    structlog.contextvars.bind_contextvars(request_id="r-1", job_id="j-1")
    structlog.stdlib.get_logger("web").info("accepted", size=3, name="이름")
    structlog.stdlib.get_logger("web").debug("not this")
    (line,) = lines(stderr.getvalue())
    at = datetime.fromisoformat(line.pop("timestamp"))
    assert at.utcoffset() == timedelta(0)
    assert line == {
        "level": "info",
        "event": "accepted",
        "logger": "web",
        "request_id": "r-1",
        "job_id": "j-1",
        "size": 3,
        "name": "이름",
    }


def test_other_libraries_go_the_same_way(stderr: Console) -> None:
    logs.configure("info", "json")
    structlog.contextvars.bind_contextvars(job_id="j-1")
    logging.getLogger("arq.worker").warning("%s done in %.1fs", "advance", 0.5, extra={"tries": 2})
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old thing", RuntimeWarning, stacklevel=1)
    first, second = lines(stderr.getvalue())
    assert (first["event"], first["logger"], first["job_id"], first["tries"]) == (
        "advance done in 0.5s",
        "arq.worker",
        "j-1",
        2,
    )
    assert "old thing" in second["event"]


def test_a_file_gets_json_whatever_the_console_shows(stderr: Console, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "yousync.log"
    logs.configure("debug", "console", file)
    structlog.stdlib.get_logger("web").debug("accepted", size=3)
    assert "accepted" in stderr.getvalue()
    (line,) = lines(file.read_text())
    assert (line["event"], line["level"], line["size"]) == ("accepted", "debug", 3)
    file.rename(tmp_path / "rotated")
    structlog.stdlib.get_logger("web").debug("after rotation")
    assert lines(file.read_text())[0]["event"] == "after rotation"


def test_configuring_again_replaces_and_reaches_old_loggers(stderr: Console) -> None:
    logs.configure("info", "console")
    log = structlog.stdlib.get_logger("web")
    log.info("first")
    logs.configure("warning", "json")
    log.info("second")
    log.warning("third")
    assert [line["event"] for line in lines("\n".join(stderr.getvalue().splitlines()[1:]))] == ["third"]


def test_an_exception_keeps_its_traceback(stderr: Console) -> None:
    logs.configure("info", "json")
    try:
        fail("what happened")
    except ValueError:
        structlog.stdlib.get_logger("web").exception("failed")
        logging.getLogger("aiohttp.server").exception("failed too")
    for line in lines(stderr.getvalue()):
        assert "Traceback" in line["exception"]
        assert "ValueError: what happened" in line["exception"]


FORGED = 'x\n{"event": "forged"}\r\n2026-01-01 [info     ] forged\x1b[31m\x85\u2028\u2029{"event": "forged"}'


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_forged_newline_stays_on_its_line(stderr: Console, style: logs.Format) -> None:
    logs.configure("info", style)
    structlog.stdlib.get_logger("web").info(FORGED, value=FORGED, nested={"deep": [FORGED]}, **{FORGED: 1})
    logging.getLogger("arq").warning(FORGED)
    text = stderr.getvalue()
    assert len(text.splitlines()) == 2
    assert "\x1b" not in text


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_traceback_cannot_pass_for_an_event(stderr: Console, style: logs.Format) -> None:
    logs.configure("info", style)
    try:
        fail(FORGED)
    except ValueError:
        structlog.stdlib.get_logger("web").exception("failed")
    text = stderr.getvalue()
    assert "\x1b" not in text
    assert not [
        line for line in text.splitlines() if line.lstrip().startswith(("{", "2026-01-01")) and "Trace" not in line
    ]


def test_what_has_no_json_form_is_still_a_line(stderr: Console) -> None:
    class Broken:
        @override
        def __repr__(self) -> str:
            raise RuntimeError

    logs.configure("info", "json")
    deep: list[Any] = []
    deep.append(deep)
    values = [2**70, float("nan"), "\ud800", b"\xff", {1: {2: 3}}, Broken(), deep, {1, 2}, object]
    structlog.stdlib.get_logger("web").info("odd", values=values)
    logging.getLogger("web").info("%d", "not a number")
    assert lines(stderr.getvalue())[0]["values"][0] == str(2**70)


class Client:
    @override
    def __repr__(self) -> str:
        return f"<Client token={CANARY}>"


EVERY_WAY_IN: list[dict[str, Any]] = [
    {"event": f"GET /tokens/webhook?job_id=1&token={CANARY}"},
    {"event": f"Authorization: Bearer {CANARY}"},
    {"event": f"Authorization: Basic {CANARY}"},
    {"event": f"said bearer {CANARY}, twice"},
    {"event": JWT},
    {"event": f"postgres://yousync:{CANARY}@db:5432/yousync"},
    {"event": f"rediss://:{CANARY}@cache/0"},
    {"event": f"redis://:p?{CANARY}@cache/0"},
    {"event": f"postgres://u:p@{CANARY}@db/x failed"},
    {"event": f"https://s3/bucket/key?X-Amz-Signature={CANARY}&email=a@b.c"},
    {"event": f"{{'password': '{CANARY}', 'webhook_token': '{CANARY}'}}"},
    {"event": f'{{"access_token": "{CANARY}"}}'},
    {"event": f"JWT_SECRET_KEY={CANARY} API-Key: {CANARY} AWS_SECRET_ACCESS_KEY={CANARY}"},
    {"event": f"AWS4-HMAC-SHA256 Credential={CANARY}/20260101, Signature={CANARY}"},
    {"authorization": CANARY},
    {"Authorization": CANARY},
    {"X-Webhook-Signature": CANARY},
    {"headers": {"authorization": CANARY, "cookie": CANARY, "Set-Cookie": CANARY}},
    {"token": CANARY},
    {"id_token": CANARY},
    {"accessToken": CANARY},
    {"webhook_token_keys": [CANARY]},
    {"jwt_secret_key": CANARY},
    {"aws_access_key_id": CANARY},
    {"dsn": CANARY},
    {"url": f"https://h/x?{CANARY}"},
    {"path": f"/x?{CANARY}#y"},
    {"nested": {"deep": [{"password": CANARY}, (f"/y?t={CANARY}",), {f"/z?t={CANARY}"}]}},
    {"by_key": {f"/y?t={CANARY}": 1}},
    {"raw": f"/x?token={CANARY}".encode()},
    {"setting": SecretStr(CANARY)},
    {"client": Client()},
    {"error": ConnectionError(f"cannot connect to redis://:{CANARY}@h/0")},
]


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize("values", EVERY_WAY_IN, ids=lambda values: repr(values)[:40])
def test_no_secret_reaches_the_output(
    stderr: Console, tmp_path: Path, values: dict[str, Any], style: logs.Format
) -> None:
    file = tmp_path / "log"
    logs.configure("debug", style, file)
    named = {"event": "said", **values}
    text = str(named.pop("event"))
    structlog.stdlib.get_logger("web").info(text, **named)
    structlog.contextvars.bind_contextvars(**named)
    structlog.stdlib.get_logger("web").info(text)
    logging.getLogger("botocore").info(text)
    logging.getLogger("botocore").info("%s %s", text, named)
    logging.getLogger("botocore").info("extra", extra=named)
    try:
        fail(str(named), KeyError(text))
    except ValueError:
        structlog.stdlib.get_logger("web").exception("failed")
        logging.getLogger("aiohttp.server").exception("failed")
    output = stderr.getvalue() + file.read_text()
    assert output.count("failed") >= 4
    # The source lines in a traceback name the constant, never its value.
    assert CANARY not in output


def test_libraries_that_print_headers_stay_above_debug(stderr: Console) -> None:
    logs.configure("debug", "json")
    for name in ("botocore.auth", "aiobotocore.endpoint", "tortoise.db_client", "asyncio"):
        logging.getLogger(name).debug("headers and parameters")
    logging.getLogger("aiohttp.access").info("GET /x")
    assert stderr.getvalue() == ""


@pytest.mark.parametrize(
    "key", ["token_id", "token_name", "token_type", "tokens", "job_id", "status", "keys", "design"]
)
def test_the_catalogues_words_are_no_secrets(key: str) -> None:
    if key != "tokens":
        assert not is_secret(key)
        assert redact({key: 7}) == {key: 7}
    assert scrub("token_id=7 for 8 words, is it 5? yes") == "token_id=7 for 8 words, is it 5? yes"


def test_it_works_in_a_fresh_process(tmp_path: Path) -> None:
    code = "from yousync import logs; import logging; logs.configure('info', 'json'); logging.info('hello?a=b')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == ""
    assert lines(done.stderr)[0]["event"] == "hello?[redacted]"
