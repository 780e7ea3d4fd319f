"""From a request to the validated models of its locations, with every error of every location at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, get_args, get_origin

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from web.metering import read_body
from web.uploads import FilePart, FileParts, read_form
from yousync.errors import MalformedBody, NotFound, ValidationFailed, YouSyncError

MAX_JSON_BYTES = 2**16
"""Several times what any client has to say. A megabyte of `[]` takes half a second to parse, while all others wait."""
MAX_ADMIN_JSON_BYTES = 2**20
MAX_FAULTS = 100
"""How many are told at once: a refusal is not to be longer than what it refuses."""
_OUT_OF_RANGE = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})


@asynccontextmanager
async def bind(
    request: web.Request,
    inputs: Mapping[str, type[BaseModel]],
    raises: Sequence[type[YouSyncError]],
    *,
    max_json: int = MAX_JSON_BYTES,
) -> AsyncIterator[dict[str, Any]]:
    """The handler's arguments by location; a file is given its budget back at the end.

    Raises ValidationFailed with a JSON pointer for each fault, MalformedBody for a body of another type
    than the route takes, and the route's own NotFound for a path of ids that no row can have.
    """
    values: dict[str, Any] = {}
    faults: list[dict[str, str]] = []
    for location, model in inputs.items():
        try:
            values[location] = await _parsed(request, location, model, max_json)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            if location == "path" and all(fault["type"] in _OUT_OF_RANGE for fault in found):
                raise _not_found(raises) from None
            faults += [
                {"pointer": _pointer(location, fault["loc"]), "detail": fault["msg"], "code": fault["type"]}
                for fault in found
            ]
        except ValidationFailed as error:  # a form without its file
            faults += error.errors
    if faults:
        raise ValidationFailed(errors=faults[:MAX_FAULTS])
    try:
        yield values
    finally:
        for value in dict(values["form"]).values() if "form" in values else ():
            if isinstance(value, FilePart):
                value.close()


async def _parsed(request: web.Request, location: str, model: type[BaseModel], max_json: int) -> BaseModel:
    """The model of a location; JSON has types, so that 0 is not taken for `false` nor "5" for a number."""
    if location == "body":
        return model.model_validate_json(await _json(request, max_json), strict=True)
    return model.model_validate(await _raw(request, location, model))


async def _raw(request: web.Request, location: str, model: type[BaseModel]) -> Any:
    match location:
        case "path":
            return dict(request.match_info)
        case "query":
            return _flat(request.query.getall, request.query, model)
        case "header":
            return {name: request.headers[header] for name, header in _headers(model) if header in request.headers}
        case _:
            field, kind = file_field(model)
            return await read_form(request, field, kind)


def _flat(getall: Any, given: Mapping[str, str], model: type[BaseModel]) -> dict[str, Any]:
    """Repeated keys are a list where the model has one; else the last wins, as everywhere on the web."""
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key in given:
            repeated = getall(key)
            values[key] = repeated if get_origin(field.annotation) in (list, tuple, set) else repeated[-1]
    return values


def _headers(model: type[BaseModel]) -> list[tuple[str, str]]:
    return [(field.alias or name, header_name(name, field)) for name, field in model.model_fields.items()]


def header_name(name: str, field: FieldInfo) -> str:
    """The header of a field: its alias, or its name with hyphens (`idempotency_key`: Idempotency-Key)."""
    return field.alias or name.replace("_", "-").title()


async def _json(request: web.Request, max_bytes: int) -> bytes:
    raw = await read_body(request, max_bytes=max_bytes)
    if not raw:
        raise ValidationFailed(errors=[{"pointer": "/body", "detail": "Field required", "code": "missing"}])
    if request.content_type != "application/json" and not request.content_type.endswith("+json"):
        raise MalformedBody
    try:
        # Stricter than Pydantic's own parser, which takes NaN and broken UTF-8.
        return orjson.dumps(_whole(orjson.loads(raw)))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):  # the latter two: nested too deep
        raise MalformedBody from None


def _whole(value: Any) -> Any:
    """The same with 1.0 as 1: to JSON these are one number, and an integer."""
    match value:
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case dict():
            return {key: _whole(each) for key, each in value.items()}
        case list():
            return [_whole(each) for each in value]
        case _:
            return value


def file_field(model: type[BaseModel]) -> tuple[str, type[FilePart]]:
    """The name of a form model's one field of files, and whether it is one or several; TypeError for none or more."""
    found = [
        (name, kind)
        for name, field in model.model_fields.items()
        for kind in (FilePart, FileParts)
        if field.annotation is kind or kind in get_args(field.annotation)
    ]
    if len(found) != 1:
        raise TypeError(f"{model.__name__} needs exactly one AudioFile, or AudioFiles, not {len(found)}")
    return found[0]


def _pointer(location: str, where: tuple[int | str, ...]) -> str:
    """RFC 6901."""
    return "/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in (location, *where))


def _not_found(raises: Sequence[type[YouSyncError]]) -> YouSyncError:
    return next((error for error in raises if issubclass(error, NotFound)), NotFound)()
