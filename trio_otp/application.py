"""Applications: what starts and stops as a whole, with its dependencies and its settings.

**Why.** A program is more than one tree: parts that others rely on have to be up before them, down
after them, and set up from one place. An application is such a part.

>>> import trio, trio_otp as otp
>>> class Store(otp.Application):
...     pass
>>> class Shop(otp.Application):
...     dependencies = (Store,)
...     environment = {"port": 80}
...     def start(self):
...         return otp.Supervisor.spec([])
>>> async def main():
...     async with otp.open_application(Shop, environment={"port": 8080}):
...         print(otp.application.which_applications())
...         print(otp.application.get_env(Shop, "port"))
>>> trio.run(main)
['store', 'shop']
8080

**Client side** the functions of this module are for code that runs while such a block is open. They
take an application by its class, or by its name once its class was used in the run.

**Server side** is a class: `dependencies` and `environment`, `start`, which gives the specification
of a supervisor, and `prep_stop` and `stop`, which clean up.

**Supervise** it not at all: it is the top. `otp.run` runs one as a whole program,
`otp.open_application` inside another, and its type says what its end means for the rest.

**When not to use it.** One tree without settings of its own is an `otp.open_supervisor` block.

Follows: Elixir's `Application`, Erlang's `application`.
"""

from __future__ import annotations

from ._application.functions import (
    delete_env,
    ensure_all_started,
    ensure_started,
    fetch_env,
    get_all_env,
    get_env,
    load,
    loaded_applications,
    put_all_env,
    put_env,
    reload_config,
    spec,
    start,
    stop,
    unload,
    which_applications,
)

__all__ = [
    "delete_env",
    "ensure_all_started",
    "ensure_started",
    "fetch_env",
    "get_all_env",
    "get_env",
    "load",
    "loaded_applications",
    "put_all_env",
    "put_env",
    "reload_config",
    "spec",
    "start",
    "stop",
    "unload",
    "which_applications",
]


def __dir__() -> list[str]:
    return __all__
