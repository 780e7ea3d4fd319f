"""Free ports on loopback, outside the range the kernel hands out by itself."""

from __future__ import annotations

import atexit
import random
import socket

LOWEST, HIGHEST = 20_000, 32_000
"""Below Linux's ephemeral range (32768 up), so no outgoing connection takes the port between choice and use."""


_marks: list[socket.socket] = []
"""A datagram socket on each port that was given: they tell other processes of ours, too, that it is taken."""


@atexit.register
def _unmark() -> None:
    """Close them before Python complains that nobody did."""
    for mark in _marks:
        mark.close()


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port nobody listens on, chosen at random.

    No port is given twice while the process that it was given to lives: its server may not listen yet.
    """
    for _ in range(200):
        port = random.randint(LOWEST, HIGHEST)  # noqa: S311  # not a secret
        if not port_is_free(port):
            continue
        mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            mark.bind(("127.0.0.1", port))
        except OSError:
            mark.close()
            continue
        _marks.append(mark)
        return port
    raise OSError("no free port found on 127.0.0.1")
