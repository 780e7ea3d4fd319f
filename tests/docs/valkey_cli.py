"""`valkey-cli -u URL COMMAND...`, which the wheel of the server comes without: prints as it does into a pipe."""

from __future__ import annotations

import sys
from typing import Any

from redis import Redis


def main() -> None:
    """Send one command."""
    option, url, *command = sys.argv[1:]
    if option != "-u" or not command:
        sys.exit("valkey-cli -u URL COMMAND...")
    client: Any = Redis.from_url(url, decode_responses=True)
    client.response_callbacks.clear()  # answers as they come
    answer = client.execute_command(*command)
    sys.stdout.write("".join(f"{line}\n" for line in (answer if isinstance(answer, list) else [answer])))


if __name__ == "__main__":
    main()
