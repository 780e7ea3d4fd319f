"""Reading replies off the wire, however the bytes come in."""

from __future__ import annotations

import pytest

from benchmarks.wire import ReplyReader

LENGTH = b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nb\r\n, and again\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


class Heard:
    """What a reader told, one line a reply."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, bytes]] = []
        self.open = False
        self.reader = ReplyReader(self._head, self._body, self._end)

    def _head(self, status: int) -> None:
        self.replies.append((status, b""))
        self.open = True

    def _body(self, piece: bytes) -> None:
        status, body = self.replies[-1]
        self.replies[-1] = (status, body + piece)

    def _end(self) -> None:
        self.open = False


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_replies_one_after_the_other_in_pieces_of_any_size(size: int) -> None:
    heard = Heard()
    wire = LENGTH + CHUNKED + EMPTY + LENGTH
    for begin in range(0, len(wire), size):
        heard.reader.feed(wire[begin : begin + size])
    assert heard.replies == [(202, b"hello"), (200, b"hello, and again"), (204, b""), (202, b"hello")]
    assert not heard.open


def test_a_stream_is_told_as_it_comes_and_does_not_end() -> None:
    heard = Heard()
    heard.reader.feed(CHUNKED[: CHUNKED.index(b"b\r\n, and")])
    assert heard.replies == [(200, b"hello")]
    assert heard.open
