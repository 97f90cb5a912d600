"""Names: atoms, the via protocol, and how a reference becomes a process.

A reference is a `Pid`, an atom (a str, an enum member or a class), a via tuple `("via", registry,
key)`, or the name of a process of another node, `("counter", "py@host")`. Names resolve anew at
every use and are gone before anyone learns of a death.

It is long because looking up, registering and sending share one idea of what a reference may be.

Follows: Erlang's `erlang:register/2`, and the `{:via, module, term}` of Elixir's GenServer,
section "Name registration".
"""

from __future__ import annotations

import enum
from functools import partial
from threading import get_ident
from types import CoroutineType, FunctionType
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Protocol,
    TypeAlias,
    TypeGuard,
    TypeVar,
    runtime_checkable,
)

from trio.lowlevel import enable_ki_protection

from .._exits.call_errors import MailboxFull, NoProcess
from .._exits.errors import AlreadyRegistered, WrongServer
from .._util.bounded import bounded
from .._util.checks import ends_of
from .._util.copies import Handle
from .._util.public import public
from .._util.sent import SENT
from .._util.unset import UNSET
from .name_watchers import tell_key, tell_name
from .pid import Pid
from .runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .process import Process
    from .runtime import Runtime

T = TypeVar("T")
MORE_NAMES: Final = "more_names"  # in the extras of a run: what lists names that are no processes'
# Classes of what can be a decorated method, a bound one, or a call of one that nobody awaited. The
# latter two are told from what is the user's by a mark, and by their code, which is in here, too.
METHODS: Final[set[object]] = {FunctionType, CoroutineType}
RESERVED = frozenset({"", "nil", "undefined", "true", "false"})
Atom: TypeAlias = "str | enum.Enum | type[Any]"
Via: TypeAlias = tuple[str, Any, Any]
RemoteName: TypeAlias = tuple[str, str]  # of a process, and of its node
Ref: TypeAlias = "Pid | Atom | Via | RemoteName | HasPid"


@runtime_checkable
class HasPid(Protocol):
    """A handle that stands for a process, as that of `otp.open_supervisor`."""

    @property
    def pid(self) -> Pid:
        """The process."""
        ...


@public
@runtime_checkable
class ViaModule(Protocol):
    """What stands in the middle of a via tuple: the four functions of OTP's via protocol.

    When a process ends, `unregister_name` is called for the names that it was started under. A
    module that notices the ends of its processes itself has an attribute `frees_names = True`, and
    is not called.
    """

    def register_name(self, key: Any, pid: Pid) -> bool:
        """Take the key for a process; False if it is taken."""
        ...

    def unregister_name(self, key: Any) -> object:
        """Free the key."""

    def whereis_name(self, key: Any) -> Pid | None:
        """Return the holder of the key."""

    def send(self, key: Any, message: Any) -> object:
        """Send a plain message to the holders of the key."""


_ATOMS: Final = (str, enum.Enum, type)


def is_atom(value: object) -> bool:
    """Check whether a value can be a local name."""
    return isinstance(value, _ATOMS)


def has_pid(value: object) -> TypeGuard[HasPid]:
    """Check whether a value is a handle; isinstance with a protocol takes some 20 us."""
    return hasattr(value, "pid")


def check_name(name: object) -> None:
    """Refuse what cannot be a name, saying what can."""
    accepted = 'a str, an enum member, a class or ("via", registry, key)'
    if is_via(name):
        return
    if not is_atom(name):
        raise TypeError(f"name={bounded(name)}: expected {accepted}")
    if isinstance(name, str) and name in RESERVED:
        raise ValueError(
            f"name={bounded(name)} is reserved; expected {accepted}, other than {sorted(RESERVED)}"
        )


def is_via(value: Any) -> bool:
    """Check whether a value is a via tuple."""
    return value.__class__ is tuple and len(value) == 3 and bool(value[0] == "via")


def is_remote_name(value: Any) -> bool:
    """Check whether a value is the name of a process of a node, as `("counter", "py@host")`."""
    return (
        value.__class__ is tuple
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], str)
        and "@" in value[1]
    )


def find_living(ref: object) -> Process | None:
    """Return the process behind a reference; None if it is dead or exiting, or nobody is there."""
    if type(ref) is Pid:  # by far the most
        process: Process | None = ref._process
        if process is not None and process.runtime.thread == get_ident():
            return process if process.pending_exit is UNSET else None
    process = find_even_exiting(ref)
    return process if process is not None and process.alive else None


def find_even_exiting(ref: object) -> Process | None:
    """Return the process behind a reference also if it is exiting; a kill still reaches it."""
    here = runtime()
    if is_via(ref):
        return _find_via(ref)
    if is_atom(ref):
        return here.names.get(ref)
    pid: Any = ref.pid if has_pid(ref) else ref
    if not _is_pid(pid):
        if is_remote_name(ref):
            return _find_remote(here, ref)
        check_reference(ref)
        return None
    process: Process | None = pid._process
    if process is None and pid._is_remote:
        return _find_remote(here, pid)
    return process if process is not None and process.runtime is here else None


def _find_remote(here: Runtime, ref: object) -> Process | None:
    return None if here.node is None else here.node.process_of(ref)


def _is_pid(value: object) -> bool:
    """Check whether a value is a pid; the checkers know no more about it than before."""
    return isinstance(value, Pid)


def check_reference(ref: object) -> None:
    """Refuse what cannot be a reference, saying what can."""
    if not (isinstance(ref, Pid | HasPid) or is_via(ref) or is_atom(ref) or is_remote_name(ref)):
        accepted = 'a Pid, a name or ("via", registry, key)'
        line = "; write its ref" if isinstance(ref, Handle) and hasattr(ref, "ref") else ""
        text = f"{bounded(ref)} is not a reference to a process; expected {accepted}{line}"
        raise TypeError(text)


def need_living(ref: object, message: object = None) -> Process:
    """Return the process behind a reference as `find_living`, or raise `NoProcess`."""
    pid: Any = ref
    if type(pid) is Pid:  # as in `find_living`, to save a call
        process: Process | None = pid._process
        if (
            process is not None
            and process.runtime.thread == get_ident()
            and process.pending_exit is UNSET
        ):
            return process
    process = find_living(ref)
    if process is None:
        raise no_process(ref, message)
    return process


def no_process(ref: object, message: object = None) -> NoProcess:
    """Make the error of a reference that leads nowhere, with what may be wrong about it."""
    if is_via(ref):
        via: Any = ref
        if not is_atom(via[1]):
            return NoProcess(ref, message)
        if (module := via_module(via[1])) is None:
            text = registry_text(via[1])
            return NoProcess(ref, message, text=text, meant=via[1], known=known_names())
        may_mean = getattr(module, "_may_mean", None)  # a user's own module has none
        meant, known = (None, ()) if may_mean is None else may_mean(via[2])
        return NoProcess(ref, message, meant=meant, known=known)
    if is_remote_name(ref) and runtime().node is None:
        line = "async with otp.cluster.open_node(name, cookie_file=path): ..."
        text = f"no process behind {bounded(ref)}: this run is no node of a cluster; write {line}"
        return NoProcess(ref, message, text=text)
    return NoProcess(ref, message, known=known_names() if is_atom(ref) else ())


def known_names() -> list[object]:
    """List some names, of which one may be meant that nobody has.

    It may be asked for often, by who tries until a name is there. So of very many names these are
    the oldest, as of the services of an application, and the newest.
    """
    here = runtime()
    more = here.extras.get(MORE_NAMES)
    return [*ends_of(here.names), *(() if more is None else more())]


def refuse_method(message: Any, ref: object) -> None:
    """Refuse a decorated method in the place of a message: it is sent by calling it.

    Raises:
        TypeError: the text has the line to write.
    """
    kind, method = message.__class__, message
    if kind not in METHODS:
        return
    if kind is CoroutineType:
        if message.cr_code not in METHODS or message.cr_frame is None:
            return
        method = message.cr_frame.f_locals["self"]
        message.close()
    elif kind is FunctionType and (method := getattr(message, "otp_method", None)) is None:
        return
    more = "..." if method.outside.__signature__.parameters else ""
    owner, name = method.owner.__name__, method.name
    if getattr(method.owner, "is_handler", False):
        line = f"{owner}.at({bounded(ref)}).{name}({more})"
    else:
        line = f"{owner}.{name}({bounded(ref)}{more and ', '}{more})"
    raise TypeError(f"{method!r} is not a message; it sends itself: write {line}")


def registry_text(registry: object) -> str:
    """Describe a registry that is not there, and where to put it."""
    return f"registry {bounded(registry)} is not running; put it before the children that use it"


def check_class(ref: object, process: Process, base: type[T], what: str) -> type[T]:
    """Return the class of a server; refuse, in the caller, one that has no `what`: not a `base`."""
    actual = process.behaviour
    if actual is None or not issubclass(actual, base):
        raise WrongServer(what, ref, class_name(process))
    return actual


def takes_messages(process: Process) -> bool:
    """Check whether a process answers `otp.sys` and obeys an order to end: a plain one does not."""
    if process.behaviour is None:
        return process.instance is not None or process.is_remote
    return bool(getattr(process.behaviour, "takes_messages", True))


def class_name(process: Process) -> str:
    """Name the class of a server in an error."""
    if process.is_remote:
        return "process of another node"
    return "plain process" if process.behaviour is None else process.behaviour.__name__


def _find_via(ref: Any) -> Process | None:
    module = via_module(ref[1])
    pid = None if module is None else module.whereis_name(ref[2])
    return None if pid is None else pid._process


def via_module(module: object) -> ViaModule | None:
    """Return the four functions behind a via tuple: of an object or module, or of an atom."""
    if not is_atom(module) and isinstance(module, ViaModule):
        return module
    process = find_living(module)
    if process is None:  # unless a class itself says how to find what its tuples name
        return getattr(module, "via_module", None)
    registry: ViaModule = process.instance
    if hasattr(registry, "whereis_name"):  # isinstance with a protocol takes some 20 us
        return registry
    if process.starting is not None:  # it may become one
        return None
    raise TypeError(f"{module!r} names {process.pid!r}, which is not a registry")


@enable_ki_protection
def take_name(process: Process, name: Any) -> bool:
    """Register a process under a name, atom or via; False if another one has it already."""
    if is_via(name):
        module = via_module(name[1])
        if module is None:
            raise NoProcess(name[1], text=registry_text(name[1]))
        return _take_via(process, module, name[2])
    if process.runtime.names.setdefault(name, process) is not process:
        return False
    process.name = process.pid._name = name
    if (hook := process.runtime.events.name_taken) is not None:
        hook(name, process.pid)
    if process.runtime.name_watchers:
        tell_name(process.runtime, name)
    return True


def _take_via(process: Process, module: ViaModule, key: object) -> bool:
    taken = module.register_name(key, process.pid)
    if taken:
        process.pid._name = key if process.pid._name is None else process.pid._name
        if not getattr(module, "frees_names", False):  # a Registry frees its entries itself
            process.add_cleanup(partial(_free, module, key))
            process.runtime.events.emit("name_taken", ("via", module, key), process.pid)
        if process.runtime.name_watchers:
            tell_key(process.runtime, key)
    return taken


def _free(module: ViaModule, key: object, process: Process) -> None:
    module.unregister_name(key)
    process.runtime.events.emit("name_freed", ("via", module, key), process.pid)


@public
@enable_ki_protection
def register(name: Atom, pid: Pid) -> None:
    """Register a living process under a local name.

    Args:
        name: a str, an enum member or a class that no process has.
        pid: a living process without a name.

    Raises:
        AlreadyRegistered: the name belongs to a living process.
        ValueError: the process has a name already, or the name is reserved.
        TypeError: the name is none.
        NoProcess: the process is dead.

    Follows: `Process.register/2`.
    """
    check_name(name)
    process = need_living(pid)
    if is_via(name) or process.name is not None:
        raise ValueError(
            f"{pid!r} has the name {process.name!r}; a process has at most one local name"
        )
    if not take_name(process, name):
        raise AlreadyRegistered(name, runtime().names[name].pid)


@public
@enable_ki_protection
def unregister(name: Atom) -> None:
    """Free a local name.

    Args:
        name: a name that a living process has.

    Raises:
        NoProcess: nobody has the name.

    Follows: `Process.unregister/1`.
    """
    process = runtime().names.pop(name, None)
    if process is None:
        raise no_process(name)
    process.name = process.pid._name = None
    if (hook := process.runtime.events.name_freed) is not None:
        hook(name, process.pid)
    if process.runtime.name_watchers:
        tell_name(process.runtime, name)


@public
def registered() -> list[Atom]:
    """List the local names in use, oldest first. Follows: `Process.registered/0`."""
    return list(runtime().names)


@public
def whereis(ref: Ref) -> Pid | None:
    """Return the living process behind a reference of any kind; None if there is none.

    Args:
        ref: a pid, a name, a via tuple, or a handle that has a `pid`.

    Raises:
        TypeError: the value is not a reference.

    Follows: `GenServer.whereis/1`.
    """
    process = find_living(ref)
    return None if process is None else process.pid


@enable_ki_protection
def send_to_all(processes: Iterable[Process | None], message: object) -> int:
    """Send a message to those that live; return how many have taken it.

    One that is full keeps it from no other. What it refuses is dropped, and counted.
    """
    took = 0
    for process in list(processes):
        if process is None or process.pending_exit is not UNSET:
            continue
        try:
            took += process.mailbox.offer(message) is not False
        except MailboxFull:
            process.mailbox.drop(message, "the mailbox is full")
    return took


@public
def send(ref: Ref, message: Any) -> None:
    """Send a plain message; it never blocks.

    To a dead pid it does nothing; to a name or via tuple that nobody has it raises `NoProcess`, as
    in OTP. A server gets it in `handle_info`, a plain process by `receive`.

    Args:
        ref: who gets it.
        message: anything; the receiver gets this very object, not a copy.

    Raises:
        NoProcess: the reference is a name and nobody has it.
        MailboxFull: the mailbox has a bound that refuses one more.
        TypeError: `ref` is not a reference, or the message is a decorated method.

    Follows: `Kernel.send/2`.
    """
    if message.__class__ in METHODS:
        refuse_method(message, ref)
    process = find_living(ref)
    if process is not None:
        process.mailbox.offer(message)
    elif isinstance(ref, Pid):
        runtime().drop(ref, message, "send to a dead process")
    else:
        raise no_process(ref, message)
    return SENT
