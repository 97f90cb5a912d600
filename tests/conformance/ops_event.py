"""Event managers of a scenario, their handlers, and the operations on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio_otp as otp

from .children import TARGETS
from .definitions import label_of, program_for
from .ops_process import CALL_TIMEOUT
from .programs import NOTHING, caught, operation, run, seconds
from .values import Garbage, decode_reason, in_order
from .world import Env

if TYPE_CHECKING:
    from .programs import Returned
    from .world import World


class Manager(otp.EventManager):
    """An `event`."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__()
        world.record.born(name)


TARGETS["event"] = Manager


class Argument:
    """What a handler's terminate gets from whoever deletes or swaps it."""

    def __init__(self, neutral: Any) -> None:
        self.neutral = neutral


class Handler(otp.GenEvent):
    """A `handler`."""

    def __init__(self, world: World, id: str, name: str) -> None:
        self.world = world
        self.id = id
        self.definition = world.defs[name]
        self.state = self.definition.get("state", 0)
        self.who = ""

    def log(self, *entry: Any) -> None:
        """Write down what this handler does."""
        self.world.record.log(self.who, list(entry))

    async def run(self, program: list[Any], message: Any = None) -> Returned | None:
        """Run a program of the handler."""
        env = Env(self.world, self.who, self.state, message)
        returned = await run(program, env)
        self.state = env.state
        return returned

    async def init(self) -> Any:
        """Run the program `init`."""
        return await self._begin("init")

    async def init_swapped(self, result: object) -> Any:
        """Run the program `init`, and note what the other handler left."""
        return await self._begin("init", {"swapped_from": left_of(self.world, result)})

    async def _begin(self, *entry: Any) -> Any:
        self.who = f"{self.world.record.instance_of(otp.self())}/{self.id}"
        self.log(*entry)
        match await self.run(self.definition.get("init", [])):
            case ["fail", [reason]]:
                return otp.Stop(decode_reason(reason))
            case returned:
                return returned

    async def handle_event(self, event: Any) -> Any:
        """Run the program for an event."""
        self.log("event", label_of(event))
        return await self._take("event", event)

    async def handle_info(self, message: Any) -> Any:
        """Run the program for a plain message."""
        neutral = self.world.codec.encode(message)
        self.log("info", label_of(neutral))
        return await self._take("info", neutral)

    async def _take(self, table: str, message: Any) -> Any:
        program = program_for(self.definition.get(table, {}), message, [])
        match await self.run(program, message):
            case None:
                return None
            case ["remove", _]:
                return otp.RemoveHandler()
            case ["swap", [argument, id, name]]:
                new = Handler(self.world, id, name)
                return otp.SwapHandler(new, reason=Argument({"swap": argument}), id=id)
            case ["garbage", [value]]:
                return Garbage(value)
            case returned:
                return Garbage(returned)

    async def handle_call(self, request: Any) -> Any:
        """Run the program for a call."""
        self.log("call", label_of(request))
        default = [["reply", "$state"]] if request == "get" else [["reply", "ok"]]
        program = program_for(self.definition.get("call", {}), request, default)
        match await self.run(program, request):
            case None:
                return otp.Reply("ok")
            case ["reply", [value]]:
                return otp.Reply(value)
            case ["remove", [value]]:
                return otp.RemoveHandler(reply=value)
            case ["garbage", [value]]:
                return Garbage(value)
            case returned:
                return Garbage(returned)

    async def terminate(self, reason: object) -> Any:
        """Run the program `terminate`."""
        self.log("terminate", why(self.world, reason))
        match await self.run(self.definition.get("terminate", [])):
            case ["ret", [value]]:
                return value
            case _:
                return "ok"


def why(world: World, reason: object) -> Any:
    """Return what OTP passes to terminate for what trio_otp does."""
    match reason:
        case Argument():
            return reason.neutral
        case otp.NORMAL:
            return "remove_handler"
        case otp.SHUTDOWN:
            return "stop"
        case otp.OwnerExited():
            return {"stop": world.codec.encode(reason.reason)}
        case otp.BadReturn():
            return {"error": world.codec.encode(reason.value)}
        case _:
            return {"crashed": world.codec.encode(reason)}


def left_of(world: World, result: object) -> Any:
    """Return what OTP hands to a handler that comes in place of another."""
    match result:
        case otp.NoHandler():
            return "error"
        case otp.HandlerCrashed():
            return {"crashed": world.codec.encode(result.reason)}
        case _:
            return result


async def answered(env: Env, work: Any) -> Any:
    """Return what an operation on handlers gives, or its error as a result."""
    encode = env.world.codec.encode

    async def guarded() -> Any:
        try:
            return await work
        except otp.NoHandler:
            return ["error", "no_handler"]
        except otp.HandlerCrashed as exc:
            bad = isinstance(exc.reason, otp.BadReturn)
            return encode(exc.reason.value) if bad else {"crashed": encode(exc.reason)}
        except otp.StartError as exc:
            crash = isinstance(exc.reason, Exception)
            return {"crashed": encode(exc.reason)} if crash else ["error", encode(exc.reason)]

    return await caught(env, guarded())


def key_of(id: str) -> Any:
    """Return what a handler is called in trio_otp."""
    return (Handler, id)


@operation("ev_add")
async def _add(env: Env, target: Any, id: str, name: str, options: Any = None) -> Any:
    supervised = (options or {}).get("supervised", False)
    add = otp.gen_event.add_sup_handler if supervised else otp.gen_event.add_handler
    handler = Handler(env.world, id, name)
    return await answered(env, added(add(env.world.ref(target), handler, id=id)))


async def added(work: Any) -> str:
    """Return OTP's word for a handler that was added."""
    await work
    return "ok"


@operation("ev_delete")
async def _delete(env: Env, target: Any, id: str, argument: Any) -> Any:
    ref = env.world.ref(target)
    reason = Argument({"delete": argument})
    return await answered(env, otp.gen_event.delete_handler(ref, key_of(id), reason))


@operation("ev_swap")
async def _swap(env: Env, target: Any, old: list[Any], new: list[Any]) -> Any:
    ref, reason = env.world.ref(target), Argument({"swap": old[1]})
    handler = Handler(env.world, new[0], new[1])
    swap = otp.gen_event.swap_handler(ref, key_of(old[0]), handler, reason=reason, id=new[0])
    match await answered(env, added(swap)):
        case ["error", reason]:
            return ["error", {"error": reason}]
        case {"crashed": _} as crash:
            return ["error", crash]
        case result:
            return result


@operation("ev_notify")
async def _notify(env: Env, target: Any, event: Any) -> Any:
    otp.gen_event.notify(env.world.ref(target), event)
    return NOTHING


@operation("ev_sync_notify")
async def _sync_notify(env: Env, target: Any, event: Any) -> Any:
    return await answered(env, added(otp.gen_event.sync_notify(env.world.ref(target), event)))


@operation("ev_call")
async def _call(env: Env, target: Any, id: str, request: Any, options: Any = None) -> Any:
    timeout = seconds((options or {}).get("timeout"), CALL_TIMEOUT)
    call = otp.gen_event.call(env.world.ref(target), key_of(id), request, timeout=timeout)
    try:
        return await caught(env, _ok(env, call))
    except otp.NoHandler:
        return ["error", "no_handler"]
    except otp.HandlerCrashed as exc:
        if isinstance(exc.reason, otp.BadReturn):
            return ["error", env.world.codec.encode(exc.reason.value)]
        return ["error", {"crashed": env.world.codec.encode(exc.reason)}]


async def _ok(env: Env, call: Any) -> Any:
    return ["ok", env.world.codec.encode(await call)]


@operation("ev_which")
async def _which(env: Env, target: Any) -> Any:
    async def names() -> Any:
        keys = await otp.gen_event.which_handlers(env.world.ref(target))
        return in_order(id for _, id in keys)

    return await caught(env, names())
