"""`python -m tests.faults.skewed SECONDS COMMAND…`: the `yousync` command on a host whose clock is off by that much."""

from __future__ import annotations

import sys
import time

import time_machine


def main() -> None:
    """Sets the clock before anything of ours is imported; it goes on from there."""
    time_machine.travel(time.time() + float(sys.argv.pop(1)), tick=True).start()
    from yousync.cli import main as yousync

    yousync()


if __name__ == "__main__":
    main()
