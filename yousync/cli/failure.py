"""How commands fail: a sentence on standard error and an exit status that scripts can tell apart."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import NoReturn

import aiohttp
import asyncpg
from redis.exceptions import RedisError
from rich.console import Console
from rich.markup import escape
from tortoise.exceptions import BaseORMException

from yousync.local.process import StackError
from yousync.settings import SettingsMissing


class Exit(IntEnum):
    """Exit statuses; 2 is also what the option parser uses."""

    OK = 0
    FAILED = 1  # the work was done and its outcome is a failure: a demo whose job did not complete
    USAGE = 2  # the command line makes no sense, or a file named on it is refused
    SETUP = 3  # the stack cannot start, or settings are missing
    UNREACHABLE = 4  # a server that should answer does not
    INTERRUPTED = 130  # Ctrl-C, where that is not the ordinary way to end


class CommandError(Exception):
    """A command cannot go on; the message is for people."""

    def __init__(self, message: str, status: Exit) -> None:
        super().__init__(message)
        self.status = status


@contextmanager
def explained() -> Iterator[None]:
    """Turn the failures that are to be expected into one message and an exit status."""
    try:
        yield
    except CommandError as error:
        _leave(str(error), error.status)
    except (StackError, SettingsMissing) as error:
        _leave(str(error), Exit.SETUP)
    except aiohttp.ClientError as error:
        _leave(f"no answer from the server: {error}", Exit.UNREACHABLE)
    except asyncpg.PostgresError as error:
        _database(error)
    except BaseORMException as error:
        _database(error.__cause__ or error)
    except RedisError as error:
        _leave(f"Valkey does not answer as it should: {error}", Exit.UNREACHABLE)
    except (ConnectionError, TimeoutError, OSError) as error:
        _leave(f"a server that is needed does not answer: {str(error) or type(error).__name__}", Exit.UNREACHABLE)
    except (KeyboardInterrupt, asyncio.CancelledError):
        _leave("interrupted", Exit.INTERRUPTED)


def _database(error: BaseException) -> NoReturn:
    if isinstance(error, asyncpg.UndefinedTableError):
        _leave("the database has no tables yet: run `yousync db upgrade`", Exit.SETUP)
    _leave(f"the database refuses: {error}", Exit.UNREACHABLE)


def _leave(message: str, status: Exit) -> NoReturn:
    Console(stderr=True, soft_wrap=True).print(f"[bold red]yousync:[/] {escape(message)}", highlight=False)
    sys.exit(int(status))
