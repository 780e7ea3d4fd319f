"""Examples for the OpenAPI document, made from schemas: what a field is called tells what it may hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_WORD: Final = {"word": "cross", "word_score": 0.91, "mfcc_similarity": 0.78, "text_status": "pass"}

VALUES: Final[Mapping[str, Any]] = {
    "access_token": "eyJhbGciOiJIUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiI3In0.c2lnbmF0dXJl",
    "id_token": "eyJhbGciOiJSUzI1NiIsImtpZCI6ImcifQ.eyJzdWIiOiIxMTgifQ.c2lnbmF0dXJl",
    "job_id": "3b8bee56d28e4412873423f0917f8a53",
    "job_ids": ["3b8bee56d28e4412873423f0917f8a53"],
    "token_id": 7,
    "token_ids": "7,8",
    "script_id": 31,
    "token_name": "Last train home",
    "scene_title": "Last train home",
    "actor_name": "Ada Park",
    "actor": "Ada Park",
    "name": "Ada Park",
    "query": "ada",
    "category": "드라마",
    "script": "We cross at dawn.",
    "script_text": "We cross at dawn.",
    "translation": "우리는 새벽에 건넌다.",
    "word": "cross",
    "youtube_url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    "thumbnail_url": "https://img.youtube.com/vi/dQw4w9WgXcQ/0.jpg",
    "url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    "dubbing_audio_url": "https://storage.example.com/dubbing/7/31.wav?X-Amz-Signature=0",
    "bgvoice_url": "https://storage.example.com/bgvoice/7.wav?X-Amz-Signature=0",
    "profile_picture": "https://example.com/mina.jpg",
    "email": "mina@example.com",
    "full_name": "김미나",
    "requester": "김미나",
    "google_id": "118234567890",
    "login_type": "google",
    "content": "이 장면으로 연습하고 싶어요",
    "message": "업로드가 완료되었습니다. 분석을 시작합니다",
    "reason": "The analysis server is back",
    "start_time": 12.4,
    "end_time": 14.1,
    "time": 12.5,
    "hz": 187.5,
    "probability": 0.97,
    "overall_score": 0.82,
    "average_score": 0.82,
    "average_completion_rate": 82.35,
    "progress": 90,
    "view_count": 128,
    "result": {"result": {"overall_score": 0.82, "word_analysis": [_WORD]}},
    "older_than": "10m",
    "younger_than": "7d",
    "idempotency_key": "6f1b5b0e-8f3c-4d0a-9c57-2f1f0c9d1f10",
    "last_event_id": "1-5",
}
_TYPES: Final[Mapping[str, Any]] = {"string": "text", "integer": 1, "number": 0.5, "boolean": True, "null": None}
_FORMATS: Final[Mapping[str, Any]] = {"date-time": "2026-11-25T09:30:00Z", "date": "2026-11-25"}
_FITS: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
    "boolean": (bool,),
    "null": (type(None),),
}


def example(schema: Mapping[str, Any], components: Mapping[str, Any], name: str = "") -> Any:
    """A value that the schema takes; `name` is the field's. What a schema gives as its own example goes first."""
    if "$ref" in schema:
        schema = {**components[schema["$ref"].rsplit("/", 1)[1]], **{k: v for k, v in schema.items() if k != "$ref"}}
    for own in ("examples", "enum"):
        if own in schema:
            return schema[own][0]
    if "const" in schema:
        return schema["const"]
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return example(next(option for option in options if option.get("type") != "null"), components, name)
    kind = schema.get("type", "")
    if name in VALUES and isinstance(VALUES[name], _FITS.get(kind, object)):
        return VALUES[name]
    if kind == "object":
        fields = schema.get("properties", {})
        return {field: example(each, components, field) for field, each in fields.items()}
    if kind == "array":
        item = [example(schema["items"], components, name.removesuffix("s"))] if "items" in schema else []
        return item * max(1, schema.get("minItems", 1))
    return _plain(schema, kind)


def _plain(schema: Mapping[str, Any], kind: str) -> Any:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    if schema.get("default") is not None:
        return schema["default"]
    return max(_TYPES[kind], schema.get("minimum", 0)) if kind in ("integer", "number") else _TYPES.get(kind)
