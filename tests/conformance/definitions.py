"""Definitions of a scenario as classes and functions of trio_otp that run its programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

import trio_otp as otp
from tests.support.inside import UNSET, need_process

from .programs import run, seconds
from .values import Garbage, decode_reason
from .world import Env, NeverStarted

if TYPE_CHECKING:
    from .programs import Returned
    from .world import World

DEFAULT_ANSWERS = {"ping": [["reply", "pong"]], "get": [["reply", "$state"]]}


def label_of(message: Any) -> Any:
    """Return a message as traces show it: one that brings its program by its tag."""
    if isinstance(message, dict) and "do" in message:
        return message.get("tag", "do")
    return message


def program_for(table: dict[str, Any], message: Any, default: list[Any]) -> list[Any]:
    """Return the program for a message: its own, or the one listed, or the default."""
    match message:
        case {"do": program}:
            return program  # type: ignore[no-any-return]
        case str():
            key = message
        case dict() if len(message) == 1:
            key = next(iter(message))
        case _:
            key = "*"
    return table.get(key, table.get("*", default))  # type: ignore[no-any-return]


class Scripted:
    """What the scripted processes share: who they are, and their environment."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.definition = world.defs[name]
        self.who = world.record.born(name)
        self.state = self.definition.get("state", 0)
        if self.definition.get("trap_exit", False):
            otp.trap_exit(True)
        self.log("init")

    def log(self, *entry: Any) -> None:
        """Write down what this process does."""
        self.world.record.log(self.who, list(entry))

    def env(self, **more: Any) -> Env:
        """Return the environment of a program."""
        return Env(self.world, self.who, self.state, **more)

    def program(self, key: str) -> list[Any]:
        """Return a program of the definition."""
        return self.definition.get(key, [])  # type: ignore[no-any-return]

    def table(self, key: str) -> dict[str, Any]:
        """Return a table of programs of the definition."""
        return self.definition.get(key, {})  # type: ignore[no-any-return]

    async def run(self, program: list[Any], **more: Any) -> Returned | None:
        """Run a program; what it does to the state counts if it returns something accepted."""
        env = self.env(**more)
        try:
            returned = await run(program, env)
        except NeverStarted:  # which breaks off a program as if it had returned this
            return "garbage", ["never_started"]
        if returned is None or returned[0] != "garbage":
            self.state = env.state
        return returned

    async def run_init(self) -> Returned | None:
        """Run the program `init` and note if it fails."""
        env = self.env()
        try:
            returned = await run(self.program("init"), env)
        except trio.Cancelled:
            raise
        except BaseException as exc:
            reason = self.world.codec.encode(exc) if env.exit_reason is None else env.exit_reason
            self.world.record.init_failed(self.who, reason)
            raise
        self.state = env.state
        self._note_refusal(returned)
        return returned

    def _note_refusal(self, returned: Returned | None) -> None:
        match returned:
            case ["ignore", _]:
                self.world.record.init_failed(self.who, "ignore")
            case ["fail", [reason]]:
                self.world.record.init_failed(self.who, reason)
            case ["garbage", [value]]:
                self.world.record.init_failed(self.who, {"bad_return": value})


def carry_on(options: list[Any]) -> otp.NoReply | None:
    """Return what a callback returns to carry on, with a time-out or a continuation."""
    match options:
        case [{"timeout": ms}]:
            return otp.NoReply(timeout=seconds(ms))
        case [{"continue": tag}]:
            return otp.NoReply(continue_=tag)
        case _:
            return None


class Server(otp.GenServer):
    """A `server`."""

    def __init__(self, world: World, name: str) -> None:
        self.script = Scripted(world, name)

    def format_status(self) -> object:
        """Show the scripted state."""
        return self.script.state

    async def init(self) -> Any:
        """Run the program `init`."""
        match await self.script.run_init():
            case ["ignore", _]:
                return otp.IGNORE
            case ["fail", [reason]]:
                return otp.Stop(decode_reason(reason))
            case ["garbage", [value]]:
                return Garbage(value)
            case ["ok", options]:
                return carry_on(options)
            case _:
                return None

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        """Run the program for a call."""
        script = self.script
        script.log("call", label_of(request))
        default = DEFAULT_ANSWERS.get(request) if isinstance(request, str) else None
        program = program_for(script.table("call"), request, default or [["reply", "ok"]])
        match await script.run(program, message=request, from_=from_):
            case ["reply", [value, *options]]:
                rest = carry_on(options) or otp.NoReply()
                return otp.Reply(value, timeout=rest.timeout, continue_=rest.continue_)
            case ["noreply", options]:
                return carry_on(options) or otp.NoReply()
            case None:
                return otp.Reply("ok")
            case returned:
                return ended(returned)

    async def handle_cast(self, message: Any) -> Any:
        """Run the program for a cast."""
        self.script.log("cast", label_of(message))
        return await self._take("cast", message)

    async def handle_info(self, message: Any) -> Any:
        """Run the program for a plain message, or for the idle time-out."""
        script = self.script
        if isinstance(message, otp.Timeout):
            script.log("timeout")
            return going_on(await script.run(script.program("timeout"), message="timeout"))
        neutral = script.world.codec.encode(message)
        script.log("info", label_of(neutral))
        return await self._take("info", neutral)

    async def handle_continue(self, token: Any) -> Any:
        """Run the program for a continuation."""
        self.script.log("continue", token)
        return await self._take("continue", token)

    async def _take(self, table: str, message: Any) -> Any:
        program = program_for(self.script.table(table), message, [])
        return going_on(await self.script.run(program, message=message))

    async def terminate(self, reason: object) -> None:
        """Run the program `terminate`, but where OTP would not (rule `terminate_without_trap`)."""
        script = self.script
        if ends_by_signal():
            script.world.rules.note("terminate_without_trap")
            return
        script.log("terminate", script.world.codec.encode(reason))
        await script.run(script.program("terminate"))


def going_on(returned: Returned | None) -> Any:
    """Turn the returning operation of a program that answers nobody into what is returned."""
    match returned:
        case None:
            return None
        case ["noreply", options]:
            return carry_on(options)
        case _:
            return ended(returned)


def ended(returned: Returned) -> Any:
    """Turn a returning operation that ends a server into what is returned."""
    match returned:
        case ["quit", [reason]]:
            return otp.Stop(decode_reason(reason))
        case ["quit", [reason, {"reply": value}]]:
            return otp.Stop(decode_reason(reason), reply=value)
        case ["garbage", [value]]:
            return Garbage(value)
        case _:
            return Garbage(returned)


def ends_by_signal() -> bool:
    """Check whether an exit signal ends the running process, which does not trap it."""
    return need_process("a scenario").pending_exit is not UNSET and not traps_exits()


def traps_exits() -> bool:
    """Check whether the running process traps exits."""
    flag = otp.trap_exit(True)
    otp.trap_exit(flag)
    return flag


async def plain_process(
    world: World, name: str, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Be a `proc`: run a program, then serve messages."""
    script = Scripted(world, name)
    task_status.started()
    returned = await script.run(script.program("run"))
    while returned is None:
        message = world.codec.encode(await otp.receive())
        script.log("info", label_of(message))
        program = program_for(script.table("info"), message, [])
        returned = await script.run(program, message=message)


async def task(world: World, name: str) -> None:
    """Be a `task`: run a program and end."""
    who = world.record.born(name)
    await run(world.defs[name].get("run", []), Env(world, who, 0))
