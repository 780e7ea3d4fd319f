"""Which container a recording is in, by its first bytes and nothing else."""

from __future__ import annotations

CONTAINERS = frozenset({"webm", "ogg", "mp4", "wav", "mp3", "flac"})
"""Every answer `sniff` may give; also the extension of a recording's S3 key."""

_EBML = b"\x1a\x45\xdf\xa3"
_EBML_HEADER_BYTES = 128  # DocType comes within the first few elements


def sniff(data: bytes) -> str | None:
    """The container of `data`, one of CONTAINERS, or None when it is none of them.

    `webm` includes audio in Matroska, `mp4` includes M4A and 3GP-branded AAC. This only decides which reader
    gets the bytes: whether there is sound in them is the reader's to find out.
    """
    if data[:4] in {b"RIFF", b"RF64"}:
        return "wav" if data[8:12] == b"WAVE" else None
    if data.startswith(_EBML):
        head = data[:_EBML_HEADER_BYTES]
        return "webm" if b"webm" in head or b"matroska" in head else None
    if data.startswith(b"OggS"):
        return "ogg"
    if data[4:8] == b"ftyp":
        return "mp4"
    start = _after_id3(data)
    if data[start : start + 4] == b"fLaC":
        return "flac"
    return "mp3" if _is_mp3_frame(data[start : start + 4]) else None


def _after_id3(data: bytes) -> int:
    """Where the sound begins behind an ID3v2 tag (id3.org, ID3v2.4 section 3.1: sizes have 7 bits a byte)."""
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    size = 0
    for byte in data[6:10]:
        if byte & 0x80:
            return 0
        size = size << 7 | byte
    footer = 10 if data[5] & 0x10 else 0
    start = 10 + size + footer
    # Encoders may pad between the tag and the first frame.
    padding = data[start : start + 4096]
    return start + len(padding) - len(padding.lstrip(b"\x00"))


def _is_mp3_frame(head: bytes) -> bool:
    """Whether `head` is an MPEG audio layer III frame header with no reserved value in it (ISO 11172-3, 2.4.2.3)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer == 1 and bitrate not in {0, 15} and rate != 3
