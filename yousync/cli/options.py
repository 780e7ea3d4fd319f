"""Options that several commands share: what a function takes become options, what it makes of them an argument."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

Command = Callable[..., None]


def gathered(**makers: Callable[..., Any]) -> Callable[[Command], Command]:
    """Give a command the options of `makers`, and in place of them what each makes of its own, by its name here."""

    def give(command: Command) -> Command:
        options = {name: inspect.signature(make, eval_str=True).parameters for name, make in makers.items()}
        own = inspect.signature(command, eval_str=True).parameters

        @functools.wraps(command)
        def run(**given: Any) -> None:
            made = {name: makers[name](**{option: given.pop(option) for option in options[name]}) for name in makers}
            command(**given, **made)

        kept = [parameter for name, parameter in own.items() if name not in makers]
        shared = [parameter for found in options.values() for parameter in found.values()]
        every = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*kept, *shared)]
        run.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]  # what typer reads
        run.__annotations__ = {}  # or it would read the command's instead
        return run

    return give
