"""The `yousync` command: the composition root, above all layers."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command and leave with its exit status; what is expected to go wrong ends in a sentence, not a trace."""
    try:
        from yousync.cli.app import app
        from yousync.cli.failure import explained

        with explained():
            app()
    except KeyboardInterrupt:  # while still loading
        sys.exit(130)
