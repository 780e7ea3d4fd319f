"""A port is given once, whoever asks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from yousync.local import port

ASK = "import sys; from yousync.local import port; port.LOWEST = port.HIGHEST = int(sys.argv[1]); port.free_port()"


def test_no_port_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    given = port.free_port()
    monkeypatch.setattr(port, "LOWEST", given)
    monkeypatch.setattr(port, "HIGHEST", given)
    with pytest.raises(OSError, match="no free port"):
        port.free_port()
    other = subprocess.run([sys.executable, "-c", ASK, str(given)], capture_output=True, text=True, check=False)
    assert "no free port" in other.stderr
