"""`python -m yousync.local.standin --port P --ledger FILE [--no-sync]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from aiohttp import web

from yousync.local.standin.app import make_app


def main() -> None:
    """Serves on loopback until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--no-sync", action="store_true", help="do not fsync the ledger (for benchmarks)")
    options = parser.parse_args()
    web.run_app(
        make_app(options.ledger, sync=not options.no_sync),
        host="127.0.0.1",
        port=options.port,
        print=lambda *_: None,
        access_log=None,
        shutdown_timeout=1.0,
    )


if __name__ == "__main__":
    main()
