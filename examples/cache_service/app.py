"""The application: what is started, in which order, and what follows when a part of it ends.

    trio-otp run examples.cache_service.app:CacheService --set port=6380 --set path=/tmp/cache.db

The children start in this order and stop in the opposite one: whatever a child needs is there
before it and outlives it.

1. `DatabaseLock`: a second service on the same file does not start.
2. `DatabaseCheck`, which ends at once: a service does not start on what is no database.
3. `Repo`, the durable store: without it there is nothing to serve.
4. `Keyspaces`, the registry in which workers are found.
5. `WorkerSupervisor`, empty at first: a worker starts when its keyspace is first used.
6. `Endpoint`: nobody can connect before the rest is there.
7. `Readiness`, last: the service counts as started, and a manager is told `READY=1`, when all of
   it is ready, and not while a part is being restarted already.

The strategy is one_for_one, because a fault should cost as little as it can. The endpoint needs
no certain Repo or worker, it looks them up by name for every command, so connections stay while
these are restarted, and their clients see errors for a moment. With rest_for_one the end of the
Repo would close every connection, the listening socket too. Workers do depend on others, on
whether what they sent to the Repo was stored and on the registry that has their names; each of
them sees to that itself, and costs only its own keyspace a restart: see `worker.py`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import trio_otp as otp

from .endpoint import ENDPOINT, Endpoint, Settings
from .keyspaces import KEYSPACES, WORKERS
from .lock import hold_lock
from .readiness import READINESS, watch_readiness
from .repo import Repo, check_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    import trio

TOP: Final = "CacheSupervisor"
LOCK: Final = "DatabaseLock"


class CacheService(otp.Application):
    """A cache that Redis clients talk to.

    Environment:
        host: the address to listen on; without `requirepass`, everybody who can reach it can read
            and write.
        port: 0 takes a free one, see `port_of`.
        path: the database; the directory has to be there.
        keyspaces, max_clients, drain_timeout, requirepass, timeout, stall_timeout,
            max_client_memory: see `Settings`.
        export_dir: the directory below which EXPORT writes files; empty: EXPORT is off.
    """

    name = "cache_service"
    environment: ClassVar[Mapping[str, Any]] = {
        "host": "127.0.0.1",
        "port": 6379,
        "path": "cache.db",
        "keyspaces": 16,
        "max_clients": 10_000,
        "drain_timeout": 5.0,
        "requirepass": "",
        "timeout": 0.0,
        "stall_timeout": 60.0,
        "max_client_memory": 64 * 1024 * 1024,
        "export_dir": "",
    }
    private: ClassVar[tuple[str, ...]] = ("requirepass",)

    def start(self) -> otp.Child[otp.Supervisor]:
        """Describe the top supervisor."""
        env = self.environment
        path = Path(env["path"])
        endpoint = Endpoint(_settings(env))
        return otp.child(
            otp.Supervisor,
            [
                otp.child(hold_lock, path).having(name=LOCK),
                otp.child(check_store, path).having(id="DatabaseCheck", restart="temporary"),
                otp.child(Repo, path).having(name=Repo),
                otp.child(otp.Registry, keys="unique").having(name=KEYSPACES.name),
                # One death of the Repo may take a worker of every keyspace with it.
                otp.child(otp.DynamicSupervisor, max_restarts=100).having(name=WORKERS),
                otp.child(
                    otp.ConnectionSupervisor,
                    endpoint.handle,
                    partial(endpoint.open_listeners, int(env["port"]), env["host"]),
                    max_connections=endpoint.settings.max_clients,
                    on_full=endpoint.refuse,
                    drain_timeout=endpoint.settings.drain_timeout,
                ).having(name=ENDPOINT),
                otp.child(watch_readiness).having(name=READINESS),
            ],
            strategy="one_for_one",
            max_restarts=10,
        ).having(name=TOP)


def _settings(env: Mapping[str, Any]) -> Settings:
    return Settings(
        keyspaces=int(env["keyspaces"]),
        max_clients=int(env["max_clients"]),
        drain_timeout=float(env["drain_timeout"]),
        requirepass=str(env["requirepass"]),
        timeout=float(env["timeout"]),
        stall_timeout=float(env["stall_timeout"]),
        max_client_memory=int(env["max_client_memory"]),
        export_dir=_directory(env["export_dir"]),
    )


def _directory(setting: str | Path) -> Path | None:
    """Read `export_dir`."""
    if not setting or Path(setting).is_dir():
        return Path(setting).resolve() if setting else None
    raise NotADirectoryError(f"export_dir={str(setting)!r}: expected a directory that is there")


def port_of(endpoint: otp.Ref = ENDPOINT) -> int:
    """Return the port that the service listens on.

    Raises:
        NoProcess: it is not running.
    """
    listeners: list[trio.SocketListener] = otp.process_info(endpoint).started
    return int(listeners[0].socket.getsockname()[1])
