"""The file of a multipart upload: found, received within its limits, and paid for from one budget."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, cast

from aiohttp import (
    BodyPartReader,
    MultipartReader,
    StreamReader,
    content_disposition_filename,
    parse_content_disposition,
    web,
)
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import InstanceOf, WithJsonSchema

from web.metering import CHUNK, IDLE_TIMEOUT_S, MIN_BYTES_PER_S, MeteredStream
from yousync.errors import FileTooLarge, MalformedBody, UploadsBusy, ValidationFailed

ENVELOPE_BYTES = 64 * 2**10  # boundaries, part headers and text fields around the file
MAX_PARTS = 100
BUSY_RETRY_AFTER = 5.0  # seconds; an upload is seldom under way for longer
_IDENTITY = frozenset({"", "binary", "8bit", "7bit"})


class UploadBudget:
    """How many bytes of uploads this process may hold at once: a sum over what is there, so it cannot drift."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held: dict[FilePart, int] = {}

    @property
    def in_flight(self) -> int:
        """Bytes held now."""
        return sum(self._held.values())

    def hold(self, part: FilePart, size: int, *, expected: int = 0) -> None:
        """Account `size` bytes to `part`, or the `expected` ones where those are more; UploadsBusy if they do not fit.

        What was expected stays reserved: an upload that was let in is not turned away halfway.
        """
        held = self._held.get(part, 0)
        wanted = max(held, size, expected)
        if self.in_flight - held + wanted > self.limit:
            raise UploadsBusy(retry_after=BUSY_RETRY_AFTER)
        self._held[part] = wanted

    def release(self, part: FilePart) -> None:
        """The bytes of `part` are gone, or durable elsewhere."""
        self._held.pop(part, None)


class FilePart:
    """The file of a form, not read yet: `receive` reads it. What the client calls it plays no part."""

    def __init__(self, request: web.Request, field: str, part: BodyPartReader, rest: Multipart) -> None:
        self.field = field
        self.content_length = request.content_length
        self.part = part
        self.rest = rest
        self._budget: UploadBudget | None = None

    def charge(self, budget: UploadBudget, size: int, *, expected: int = 0) -> None:
        """Hold `size` bytes of `budget` until `close`."""
        self._budget = budget
        budget.hold(self, size, expected=expected)

    def close(self) -> None:
        """Give the budget back; the contract does so when the handler has answered."""
        if self._budget is not None:
            self._budget.release(self)


class FileParts(FilePart):
    """Several files under one name, none of them read yet: `receive_all` reads them."""


_SCHEMA: dict[str, Any] = {"type": "string", "contentMediaType": "application/octet-stream"}
AudioFiles = Annotated[InstanceOf[FileParts], WithJsonSchema({"type": "array", "items": _SCHEMA, "minItems": 1})]
AudioFile = Annotated[
    InstanceOf[FilePart],
    WithJsonSchema(_SCHEMA),
]


class Multipart:
    """A multipart/form-data body, part by part, metered."""

    def __init__(self, request: web.Request) -> None:
        self.stream = MeteredStream(request, limit=ENVELOPE_BYTES, too_large=FileTooLarge)
        self._reader = MultipartReader(request.headers, cast(StreamReader, self.stream), client_max_size=ENVELOPE_BYTES)
        self._parts = 0

    async def next(self) -> BodyPartReader | None:
        """The next part, None after the last; MalformedBody when the body is not what multipart asks for."""
        try:
            part = await self._reader.next()
        except (HttpProcessingError, ValueError, RuntimeError, AssertionError) as error:
            raise MalformedBody from error
        self._parts += 1
        if isinstance(part, MultipartReader) or self._parts > MAX_PARTS:
            raise MalformedBody
        return part


def file_missing(field: str) -> ValidationFailed:
    """422: there is no file in the field where one is needed."""
    return ValidationFailed(errors=[{"pointer": f"/form/{field}", "detail": "파일이 필요합니다", "code": "missing"}])


def one_file(field: str) -> ValidationFailed:
    """422: a second file, or one in another field."""
    detail = f"'{field}' 필드에 파일 하나만 보낼 수 있습니다"
    return ValidationFailed(errors=[{"pointer": f"/form/{field}", "detail": detail, "code": "one_file"}])


async def read_form(request: web.Request, field: str, kind: type[FilePart] = FilePart) -> dict[str, Any]:
    """Text fields up to the file named `field`, and that as an unread FilePart, or the first of several.

    Raises ValidationFailed when there is no such file, MalformedBody when the multipart is broken.
    """
    if request.content_type != "multipart/form-data":
        raise file_missing(field)
    try:
        form = Multipart(request)
    except (ValueError, AssertionError):  # no boundary, or too long a one
        raise file_missing(field) from None
    values: dict[str, Any] = {}
    while (part := await form.next()) is not None:
        name, filename = _names(part)
        if filename is not None:
            if name != field:
                raise one_file(field)
            values[field] = kind(request, field, part, form)
            return values
        values[name or ""] = await _text(part)
    raise file_missing(field)


def _names(part: BodyPartReader) -> tuple[str | None, str | None]:
    """The field and the file that a part says it is."""
    return _named(part.headers.get("Content-Disposition"))


@lru_cache(maxsize=256)
def _named(disposition: str | None) -> tuple[str | None, str | None]:
    """A frontend says the same each time, and aiohttp parses it with as much care each time."""
    _, said = parse_content_disposition(disposition)
    return content_disposition_filename(said, "name"), content_disposition_filename(said, "filename")


async def _text(part: BodyPartReader) -> str:
    if part.headers.get("Content-Transfer-Encoding", "").lower() not in _IDENTITY:
        raise MalformedBody
    try:
        return (await part.read()).decode()
    except (ValueError, AssertionError) as error:
        raise MalformedBody from error


async def receive(
    file: FilePart,
    *,
    max_bytes: int,
    budget: UploadBudget,
    min_bytes_per_s: float = MIN_BYTES_PER_S,
    idle_timeout_s: float = IDLE_TIMEOUT_S,
) -> bytes:
    """The file's bytes, and the rest of the form read to its end.

    Raises FileTooLarge (by Content-Length before a byte is read, else by counting), UploadsBusy when
    `budget` is used up, UploadTooSlow, MalformedBody for a broken or transfer-encoded part and
    ValidationFailed when a second file follows. The bytes stay charged until the handler has answered.
    """
    if (file.content_length or 0) > max_bytes + ENVELOPE_BYTES:
        raise FileTooLarge
    stream = file.rest.stream
    stream.limit = stream.consumed + max_bytes + ENVELOPE_BYTES
    stream.min_bytes_per_s, stream.idle_timeout_s = min_bytes_per_s, idle_timeout_s
    file.charge(budget, 0, expected=min(file.content_length or 0, max_bytes))
    data = await _bytes(file, file.part, max_bytes=max_bytes, budget=budget)
    while (part := await file.rest.next()) is not None:
        name, filename = _names(part)
        if filename is not None or name == file.field:
            raise one_file(file.field)
    return data


async def receive_all(
    files: FileParts, *, max_files: int, max_bytes: int, budget: UploadBudget
) -> tuple[list[bytes], dict[str, str]]:
    """The bytes of each file, in order, and the text fields that stand behind the first.

    Each may have `max_bytes`, and all of them together what the budget has room for at best. Raises what `receive`
    does, and ValidationFailed for more than `max_files`.
    """
    most = min(max_files * max_bytes, budget.limit)
    if (files.content_length or 0) > most + ENVELOPE_BYTES:
        raise FileTooLarge
    stream = files.rest.stream
    stream.limit = stream.consumed + most + ENVELOPE_BYTES
    stream.min_bytes_per_s, stream.idle_timeout_s = MIN_BYTES_PER_S, IDLE_TIMEOUT_S
    # Room is reserved for one file: who announces a whole batch and then dawdles must not keep all others out.
    files.charge(budget, 0, expected=min(files.content_length or 0, max_bytes))
    texts: dict[str, str] = {}
    found = [await _bytes(files, files.part, max_bytes=max_bytes, budget=budget)]
    while (part := await files.rest.next()) is not None:
        name, filename = _names(part)
        if filename is None:
            texts[name or ""] = await _text(part)
        elif name != files.field:
            raise one_file(files.field)
        elif len(found) == max_files:
            detail = f"파일은 {max_files}개까지 보낼 수 있습니다"
            pointer = f"/form/{files.field}"
            raise ValidationFailed(errors=[{"pointer": pointer, "detail": detail, "code": "too_many"}])
        else:
            held = sum(map(len, found))
            found.append(await _bytes(files, part, max_bytes=max_bytes, budget=budget, held=held))
    return found, texts


async def _bytes(file: FilePart, part: BodyPartReader, *, max_bytes: int, budget: UploadBudget, held: int = 0) -> bytes:
    """One part's bytes, charged beside those `held` already."""
    if part.headers.get("Content-Transfer-Encoding", "").lower() not in _IDENTITY:
        raise MalformedBody  # RFC 7578 section 4.7: no browser sends it, and it hides the real size
    data = bytearray()
    while not part.at_eof():
        try:
            data += await part.read_chunk(CHUNK)
        except (ValueError, AssertionError) as error:
            raise MalformedBody from error
        if len(data) > max_bytes:
            raise FileTooLarge
        file.charge(budget, held + len(data))
    return bytes(data)
