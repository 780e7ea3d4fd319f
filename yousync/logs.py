"""Structured logs: one event a line, for people or as JSON, with ids from the context and without secrets."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from yousync.redaction import one_line, redact, scrub

Format = Literal["json", "console"]
# At debug these print headers, SQL parameters and request bodies, so they never go below info.
_CHATTY = ("botocore", "aiobotocore", "urllib3", "asyncio", "tortoise", "aerich", "asyncpg", "google", "aiohttp.client")


def configure(level: str = "info", format: Format = "json", file: str | Path | None = None) -> None:  # noqa: A002 -- LOG_FORMAT
    """Send everything that is logged in this process, by structlog or the standard library, through one chain.

    `format` is that of the console (stderr); `file` is always JSON lines, appended, and may be rotated
    by renaming it. Calling it again replaces what the previous call set up.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    handlers[0].setFormatter(_formatter(format, sys.stderr))
    if file is not None:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        handlers.append(WatchedFileHandler(file, encoding="utf-8"))
        handlers[1].setFormatter(_formatter("json", None))
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
            old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(threshold)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(threshold, logging.INFO))
    logging.getLogger("arq").setLevel(max(threshold, logging.WARNING))  # two lines a hand-over; jobs have their own
    logging.getLogger("aiohttp.access").setLevel(logging.CRITICAL)  # it prints query strings; web.requests has ours
    logging.captureWarnings(True)
    # Not told in any line of ours, and half of what the standard library does for one (its HOWTO, "Optimization").
    logging._srcfile = None  # noqa: SLF001 -- the documented switch has this name
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.raiseExceptions = False  # else a line that cannot be formatted is printed raw, secrets and all
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_common(),
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # so that calling this again reaches module-level loggers
    )


def _common() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
    ]


_STAMP: Final = structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp")  # no secret: put on last


def _formatter(style: Format, console: TextIO | None) -> logging.Formatter:
    if style == "json":
        last: list[Processor] = [_redact, _STAMP, _json_line]
    else:
        colours = console is not None and console.isatty()
        renderer = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)
        last = [_redact, _STAMP, _flatten, renderer]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_common(), structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            *last,
        ],
    )


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The last thing before rendering, so that nothing added on the way escapes it."""
    clean = redact(event)
    assert isinstance(clean, dict)  # noqa: S101 -- a mapping goes in, a dict comes out
    return clean


def _json_line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """JSON escapes ASCII controls itself; the separators that `splitlines` also honours it does not."""
    first = {name: event.pop(name) for name in ("timestamp", "level", "event") if name in event}
    text = orjson.dumps({**first, **event}, option=orjson.OPT_NON_STR_KEYS, default=str).decode()
    if not text.isascii():
        for separator in ("\x85", "\u2028", "\u2029"):
            text = text.replace(separator, f"\\u{ord(separator):04x}")
    return text


def _flatten(_logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """On the console values stay on their line; a traceback is indented, so it cannot pass for an event."""
    flat: dict[str, Any] = {}
    for name, value in event.items():
        if name in ("exception", "stack") and isinstance(value, str):
            flat[name] = "\n".join(f"    | {one_line(line)}" for line in value.splitlines())
        else:
            flat[one_line(name)] = one_line(value) if isinstance(value, str) else value
    return flat


def safe(error: BaseException) -> str:
    """An error's class and message on one line and without secrets, for records that are no log lines."""
    return one_line(scrub(f"{type(error).__name__}: {error}"))
