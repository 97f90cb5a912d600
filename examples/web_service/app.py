"""A web server as a child: Hypercorn, with any ASGI application, under `trio-otp run`.

    trio-otp run examples.web_service.app:Site --set port=8000

Hypercorn manages its own connections, so it needs no `otp.ConnectionSupervisor`. But it has to be
asked to stop, not cancelled: the process traps exits and passes the request on to Hypercorn, which
then stops accepting and finishes the requests that it has begun.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import hypercorn.trio
import trio
from hypercorn.config import Config

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Mapping


class Visits(otp.GenServer):
    """The state that requests share: a server of the tree."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    @otp.on_call
    def add(self, path: str) -> int:
        self.counts[path] = self.counts.get(path, 0) + 1
        return self.counts[path]

    @otp.on_call
    def of(self, path: str) -> int:
        return self.counts.get(path, 0)


async def answer(send: Any, text: str) -> None:
    """Answer a request with a line of text."""
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})


async def app(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application. It could also be one of Quart, Starlette or FastAPI."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])  # as ASGI asks: Hypercorn goes on without it
    visits = Visits.at("visits")
    match scope["path"]:
        case "/news":  # long polling: waits until there is news
            await visits.add("/news")
            await otp.wait_draining()
            await answer(send, "the service is about to end")
        case "/readers":
            await answer(send, f"{await visits.of('/news')} have asked for news")
        case path:
            await answer(send, f"visit {await visits.add(path)}")


async def serve(
    settings: Mapping[str, Any], *, task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED
) -> None:
    """Run Hypercorn until the supervisor asks it to stop."""
    otp.trap_exit()
    config = Config()
    config.bind = [f"{settings['host']}:{settings['port']}"]
    config.graceful_timeout = settings["graceful_timeout"]
    stop = trio.Event()
    # Hypercorn does not annotate all of its types.
    serve_app: Any = hypercorn.trio.serve  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    async with trio.open_nursery() as nursery:
        run = partial(serve_app, app, config, shutdown_trigger=stop.wait)
        task_status.started(await nursery.start(run))
        request = await otp.receive(otp.Exit)
        stop.set()
    otp.exit(request.reason)  # it was asked to stop


class Site(otp.Application):
    """The counter, then the web server, which needs it."""

    name = "site"
    environment: ClassVar[Mapping[str, Any]] = {
        "host": "127.0.0.1",
        "port": 8000,
        "graceful_timeout": 3.0,
    }

    def start(self) -> Any:
        limit = self.environment["graceful_timeout"] + 2.0
        web = otp.child(serve, self.environment).having(name="web", shutdown=limit)
        return otp.Supervisor.spec([otp.child(Visits).having(name="visits"), web, tell_where])


async def tell_where() -> None:
    """Print where it listens; Hypercorn's log says so too."""
    print("listens on", *otp.process_info("web").started, flush=True)
    await trio.sleep_forever()
