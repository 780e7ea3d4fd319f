"""The OpenAPI 3.1.1 document, drawn from the contracts and the error classes alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from web.contract import Contract
from web.endpoint import Auth, Endpoint
from web.examples import example
from web.inputs import header_name
from web.problems import PROBLEM_TYPE, problem_type
from web.replies import encode
from yousync.errors import YouSyncError

VERSION = "3.1.1"
_REF = "#/components/schemas/{model}"
_EXAMPLE = "#/components/examples/{code}"
_PLACES = {"path": "path", "query": "query", "header": "header"}
_MEDIA = {"body": "application/json", "form": "multipart/form-data"}
_SECURITY: dict[Auth, list[dict[str, list[str]]]] = {
    "optional": [{}, {"bearer": []}],
    "required": [{"bearer": []}],
    "presented": [{"bearer": []}],
    "admin": [{"bearer": ["admin"]}],  # for schemes other than OAuth 2 the list names roles
}
_ETAG = {"ETag": {"description": "For If-None-Match", "schema": {"type": "string"}}}
_Schemas = dict[tuple[str, str], dict[str, Any]]

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A failure as RFC 9457 has it. `code` is stable; titles and details are for people.",
    "required": ["type", "title", "status", "detail", "code", "request_id", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": [problem_type("not_found")]},
        "title": {"type": "string", "description": "In Korean, or in English where Accept-Language prefers it."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string", "description": "Also in X-Request-Id; names the request in the logs."},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "errors": {
            "type": "array",
            "description": "Each fault of the input, where there are any.",
            "items": {
                "type": "object",
                "required": ["pointer", "detail", "code"],
                "properties": {
                    "pointer": {"type": "string", "examples": ["/query/limit"]},
                    "detail": {"type": "string"},
                    "code": {"type": "string", "examples": ["int_parsing"]},
                },
            },
        },
    },
}


def document(
    contracts: Sequence[Contract],
    *,
    title: str = "YouSync",
    version: str = "1.0.0",
    description: str = "",
) -> dict[str, Any]:
    """The document, ready for JSON. ValueError when two endpoints share a name, or a method and path."""
    endpoints = [endpoint for contract in contracts for endpoint in contract.endpoints]
    for kind, keys in (
        ("operationId", [endpoint.name for endpoint in endpoints]),
        ("operation", [f"{endpoint.method} {endpoint.path}" for endpoint in endpoints]),
    ):
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"{kind} given twice: {', '.join(twice)}")
    schemas, components = _schemas(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        path = re.sub(r"{(\w+):[^}]+}", r"{\1}", endpoint.path)  # aiohttp's regular expressions are not OpenAPI's
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, schemas, components)
    return {
        "openapi": VERSION,
        "info": {"title": title, "version": version, "description": description},
        "servers": [{"url": "/"}, {"url": "/api", "description": "The same under the prefix that the web app uses"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(endpoint.tag for endpoint in endpoints)],
        "paths": paths,
        "components": {
            "schemas": {**_referred_to(paths, components), "Problem": PROBLEM_SCHEMA},
            "examples": {e.code: _example(e) for e in sorted(_raised(endpoints), key=lambda each: each.code)},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _referred_to(paths: Any, components: dict[str, Any]) -> dict[str, Any]:
    """The components that the paths lead to; models of parameters are written out where they are used."""
    found: dict[str, Any] = {}
    unread = [paths]
    while unread:
        for name in re.findall(r'"#/components/schemas/([^"]+)"', encode(unread.pop()).decode()):
            if name in components and name not in found:
                found[name] = components[name]
                unread.append(components[name])
    return dict(sorted(found.items()))


def _schemas(endpoints: Iterable[Endpoint]) -> tuple[_Schemas, dict[str, Any]]:
    """The schema of each input and reply by (endpoint, place), and the components they refer to."""
    wanted: list[tuple[tuple[str, str], Literal["validation", "serialization"], TypeAdapter[Any]]] = []
    for endpoint in endpoints:
        for location, model in endpoint.inputs.items():
            wanted.append(((endpoint.name, location), "validation", TypeAdapter(model)))
        if endpoint.reply is not None:
            wanted.append(((endpoint.name, "reply"), "serialization", TypeAdapter(endpoint.reply)))
        for status, model in endpoint.also.items():
            wanted.append(((endpoint.name, str(status)), "serialization", TypeAdapter(model)))
        if endpoint.events is not None:
            wanted.append(((endpoint.name, "events"), "serialization", TypeAdapter(endpoint.events)))
    found, rest = TypeAdapter.json_schemas(wanted, ref_template=_REF)
    return {key: schema for (key, _), schema in found.items()}, rest.get("$defs", {})


def _operation(endpoint: Endpoint, schemas: _Schemas, components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "description": endpoint.description,
        "responses": {
            str(endpoint.status): _success(endpoint, schemas, components),
            **_also(endpoint, schemas, components),
            **_unchanged(endpoint),
            **_failures(endpoint.raises),
        },
    }
    parameters = [
        parameter
        for location, model in endpoint.inputs.items()
        if location in _PLACES
        for parameter in _parameters(
            location, model, _resolved(schemas[endpoint.name, location], components), components
        )
    ]
    if parameters:
        operation["parameters"] = parameters
    for location, media in _MEDIA.items():
        if location in endpoint.inputs:
            content = {media: {"schema": schemas[endpoint.name, location]}}
            if location == "body":
                content[media]["example"] = example(schemas[endpoint.name, location], components)
            operation["requestBody"] = {"required": True, "content": content}
    if endpoint.deprecated_for is not None:
        operation["deprecated"] = True
    if endpoint.auth in _SECURITY:
        operation["security"] = _SECURITY[endpoint.auth]
    return operation


def _resolved(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    found: dict[str, Any] = components[reference.rsplit("/", 1)[1]] if reference else schema
    return found


def _parameters(
    location: str, model: type[BaseModel], schema: dict[str, Any], components: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    schema = _resolved(schema, components)
    required = schema.get("required", [])
    for name, field in model.model_fields.items():
        key = field.alias or name
        shape = dict(schema["properties"][key])
        parameter = {
            "name": header_name(name, field) if location == "header" else key,
            "in": _PLACES[location],
            "required": location == "path" or key in required,
            "schema": shape,
        }
        if "description" in shape:
            parameter["description"] = shape.pop("description")
        if location == "path":
            parameter["example"] = example(shape, components, name)
        yield parameter


def _success(endpoint: Endpoint, schemas: _Schemas, components: dict[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": HTTPStatus(endpoint.status).phrase}
    if endpoint.events is not None:
        response["description"] = "A stream of server-sent events, each of them as the schema has it"
        schema = schemas[endpoint.name, "events"]
        sent = {"data": encode(example(schema, components)).decode(), "id": "1-5", "retry": 1500}
        response["content"] = {"text/event-stream": {"schema": _event(schema), "example": sent}}
    elif endpoint.reply is not None:
        schema = schemas[endpoint.name, "reply"]
        response["content"] = {"application/json": {"schema": schema, "example": example(schema, components)}}
        if endpoint.method == "GET":
            response["headers"] = _ETAG
    return response


def _event(data: dict[str, Any]) -> dict[str, Any]:
    """One event by its fields (WHATWG HTML section 9.2), as OpenAPI 3.2 has it: JSON as a string in `data`."""
    return {
        "type": "object",
        "required": ["data"],
        "properties": {
            "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": data},
            "id": {"type": "string", "description": "For Last-Event-ID"},
            "retry": {"type": "integer", "description": "Milliseconds after which to come back when the stream ends"},
        },
    }


def _also(endpoint: Endpoint, schemas: _Schemas, components: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status in endpoint.also:
        schema = schemas[endpoint.name, str(status)]
        content = {"schema": schema, "example": example(schema, components)}
        found[str(status)] = {"description": HTTPStatus(status).phrase, "content": {"application/json": content}}
    return found


def _unchanged(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.method != "GET" or endpoint.reply is None:
        return {}
    return {"304": {"description": "What If-None-Match names is still what would be sent", "headers": _ETAG}}


def _failures(raises: Iterable[type[YouSyncError]]) -> dict[str, Any]:
    """One response for each status, with the codes it may carry and an example of each."""
    grouped: dict[int, list[type[YouSyncError]]] = {}
    for error in raises:
        grouped.setdefault(error.status, []).append(error)
    responses: dict[str, Any] = {}
    for status, errors in sorted(grouped.items()):
        codes = [error.code for error in errors]
        schema = {
            "allOf": [{"$ref": _REF.format(model="Problem")}],
            "properties": {"status": {"const": status}, "code": {"enum": sorted(set(codes))}},
        }
        responses[str(status)] = {
            "description": " · ".join(dict.fromkeys(error.title for error in errors)),
            "content": {
                PROBLEM_TYPE: {
                    "schema": schema,
                    "examples": {e.code: {"$ref": _EXAMPLE.format(code=e.code)} for e in errors},
                }
            },
            **_failure_headers(status),
        }
    responses["default"] = {
        "description": "Any other failure",
        "content": {PROBLEM_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}},
    }
    return responses


def _raised(endpoints: Iterable[Endpoint]) -> set[type[YouSyncError]]:
    return {error for endpoint in endpoints for error in endpoint.raises}


def _example(error: type[YouSyncError]) -> dict[str, Any]:
    """As `web.problems` would render it."""
    told = re.sub(r"\s+", " ", error.__doc__ or "").strip()
    value = {
        "type": problem_type(error.code),
        "title": error.title_ko,
        "status": error.status,
        "detail": error.title_ko,
        "code": error.code,
        "request_id": "5f0d8a0d2f3b4a1c9d3e7b6a5c4f3e2d",
        "instance": "/path",
    }
    return {"summary": error.title, "description": told, "value": value}


def _failure_headers(status: int) -> dict[str, Any]:
    names = {
        401: ["WWW-Authenticate"],
        429: ["Retry-After", "RateLimit", "RateLimit-Policy"],
        503: ["Retry-After"],
    }.get(status, [])
    return {"headers": {name: {"schema": {"type": "string"}} for name in names}} if names else {}
