"""The local stack as one thing: start everything that nobody else provides, tell how to reach it, stop it."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from yousync.local.account import unprivileged_account
from yousync.local.external import external_parts
from yousync.local.home import postgres_home, remove_postgres_home
from yousync.local.lock import DataLock, data_folder
from yousync.local.part import Part
from yousync.local.port import free_port, port_is_free
from yousync.local.postgres import Postgres
from yousync.local.process import StackError
from yousync.local.program import Analyzer, Issuer, Standin
from yousync.local.s3 import ObjectStore
from yousync.local.secret import kept_secrets, private_json
from yousync.local.supervisor import Supervisor
from yousync.local.valkey import Valkey

BUCKET = "yousync"
FRONTEND_ORIGINS = "http://localhost:3000,http://127.0.0.1:3000"
"""Where a frontend in development is served from."""
STACK_FILE = "stack.json"
Analysis = Literal["analyzer", "standin"]


class Stack:
    """Postgres, Valkey, S3, issuer and analysis server on loopback, their data in one folder.

    `given` holds variables from outside; a part whose variables are among them is not started, and the others
    are handed on as they are. `ports` fixes ports by part name; the rest are free ones. `say` gets one line at
    a time for people. Processes are tied to the thread that starts them: use one event loop, in the main thread.
    """

    def __init__(
        self,
        data: Path,
        *,
        public_port: int = 8000,
        given: Mapping[str, str] | None = None,
        analysis: Analysis = "analyzer",
        ports: Mapping[str, int] | None = None,
        durable: bool = True,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.data = data_folder(data)
        self.public_port = public_port
        self.parts: dict[str, Part] = {}
        self.given = {name: value for name, value in (given or {}).items() if value}
        self.external = external_parts(self.given)
        self._analysis = analysis
        self._ports = dict(ports or {})
        self._durable = durable
        self._say = say
        self._lock = DataLock(self.data)
        self._supervisor = Supervisor(say, self._changed)
        self._written = False
        self._supervised = False
        self._started_at = datetime.now(UTC)

    @property
    def public_url(self) -> str:
        """Where YouSync itself is (to be) reached."""
        return f"http://127.0.0.1:{self.public_port}"

    @property
    def logs(self) -> Path:
        """The folder with one log a part."""
        return self.data / "logs"

    async def start(self, *, later: Collection[str] = ()) -> None:
        """Start all parts at once and wait for each. Raises StackError, and then nothing is left running.

        Those named in `later` get their port and variables now, and are started by `ensure`.
        """
        self._lock.take()
        try:
            (self.data / STACK_FILE).unlink(missing_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            self._secrets = kept_secrets(self.data)
            for part in self._wanted():
                self.parts[part.name] = part
            now = [part.start() for name, part in self.parts.items() if name not in later]
            _raise_all(await asyncio.gather(*now, return_exceptions=True))
        except BaseException:
            await self.stop()
            raise

    def _wanted(self) -> list[Part]:
        secrets, logs = self._secrets, self.logs
        parts: list[Part] = []
        if "postgres" not in self.external:
            account = unprivileged_account()
            parts.append(
                Postgres(
                    postgres_home(self.data, account, self._say),
                    logs=logs,
                    port=self._port("postgres"),
                    password=secrets.postgres_password,
                    account=account,
                    durable=self._durable,
                )
            )
        if "valkey" not in self.external:
            folder = self.data / "valkey"
            parts.append(Valkey(folder, logs=logs, port=self._port("valkey"), password=secrets.valkey_password))
        if "s3" not in self.external:
            parts.append(
                ObjectStore(
                    self.data / "s3",
                    logs=logs,
                    port=self._port("s3"),
                    key=secrets.s3_key,
                    secret=secrets.s3_secret,
                    bucket=BUCKET,
                )
            )
        if "issuer" not in self.external:
            parts.append(Issuer(self.data / "issuer.pem", logs=logs, port=self._port("issuer")))
        if "analyzer" not in self.external:
            parts.append(self._analysis_part(self._analysis))
        return parts

    def _analysis_part(self, name: Analysis) -> Analyzer | Standin:
        if name == "standin":
            return Standin(self.data / "standin.jsonl", logs=self.logs, port=self._port(name))
        return Analyzer(self._analyzer_env, logs=self.logs, port=self._port(name))

    def _analyzer_env(self) -> dict[str, str]:
        handed_on = ("AWS_", "S3_", "WEBHOOK_SECRET")
        return {name: value for name, value in self.env().items() if name.startswith(handed_on)}

    def _port(self, name: str) -> int:
        port = self._ports.get(name)
        if port is None:
            return free_port()
        if not port_is_free(port):
            raise StackError(f"port {port} for {name} is taken")
        return port

    async def ensure(self, name: Analysis) -> Analyzer | Standin:
        """An analysis server that runs; both may, `env` then goes on naming the one this stack was made with."""
        part = self.parts.get(name)
        if not isinstance(part, Analyzer | Standin):
            part = self.parts[name] = self._analysis_part(name)
        if not part.process.running:
            await part.start()
        return part

    async def add(self, part: Part) -> None:
        """Start a part that is not one of the stack's own, and from now on treat it as one."""
        await part.start()
        self.parts[part.name] = part
        if self._supervised:
            self._supervisor.watch(part)
        self._changed()

    def supervise(self) -> None:
        """From now on start again what ends by itself."""
        self._supervised = True
        for part in self.parts.values():
            if part.process.running:
                self._supervisor.watch(part)

    async def restart(self, name: str) -> None:
        """Stop and start one part on purpose; needs `supervise`."""
        await self._supervisor.restart(self.parts[name])

    def env(self) -> dict[str, str]:
        """Every variable that YouSync's settings need, secrets included; what was given wins."""
        found: dict[str, str] = {}
        for part in self.parts.values():
            if part.name == self._analysis or not isinstance(part, Analyzer | Standin):
                found |= part.env()
        return (
            found
            | {
                "JWT_SECRET_KEY": self._secrets.jwt_secret_key,
                "WEBHOOK_TOKEN_KEYS": self._secrets.webhook_token_keys,
                "WEBHOOK_URL": f"{self.public_url}/tokens/webhook/analysis-complete",
                "SCRIPT_WEBHOOK_URL": f"{self.public_url}/scripts/webhook/analysis-complete",
                "HOST": "127.0.0.1",
                "ALLOWED_ORIGINS": FRONTEND_ORIGINS,
            }
            | self.given
            | (
                {"WEBHOOK_SECRET": ""} if self._analysis == "standin" and "standin" in self.parts else {}
            )  # the stand-in does not sign
            | {"PORT": str(self.public_port)}
        )

    def describe(self) -> dict[str, Any]:
        """What `stack.json` says."""
        parts: dict[str, Any] = {
            name: {"url": part.url, "pid": part.process.pid, "external": False, "log": str(part.process.log)}
            for name, part in self.parts.items()
        }
        for name, variable in self.external.items():
            parts[name] = {"url": self.given.get(variable), "pid": None, "external": True, "variable": variable}
        return {
            "version": 1,
            "pid": os.getpid(),
            "url": self.public_url,
            "data": str(self.data),
            "started_at": self._started_at.isoformat(),
            "parts": parts,
            "env": self.env(),
        }

    def announce(self) -> None:
        """Write `stack.json`, and keep it true from now on."""
        self._written = True
        self._changed()

    def _changed(self) -> None:
        if self._written:
            private_json(self.data / STACK_FILE, self.describe())

    async def stop(self) -> None:
        """Stop everything in reverse order and let go of the data folder; may be called twice."""
        await self._supervisor.close()
        if self._written:
            (self.data / STACK_FILE).unlink(missing_ok=True)
            self._written = False
        for part in reversed(list(self.parts.values())):
            await part.stop()
        self._lock.release()

    async def destroy(self) -> None:
        """Stop, and remove all data."""
        await self.stop()
        remove_postgres_home(self.data)
        shutil.rmtree(self.data, ignore_errors=True)


def _raise_all(outcomes: Sequence[BaseException | None]) -> None:
    """One StackError with everything that did not start; anything unforeseen as it is."""
    failures = [outcome for outcome in outcomes if outcome is not None]
    for failure in failures:
        if not isinstance(failure, StackError):
            raise failure
    if failures:
        raise StackError("\n".join(str(failure) for failure in failures))


def throwaway_folder() -> Path:
    """A new data folder among the temporary files, for a stack that ends with `Stack.destroy`."""
    folder = Path(tempfile.mkdtemp(prefix="yousync-"))
    if os.geteuid() == 0:
        folder.chmod(0o711)  # Postgres passes through it as another account
    return folder
