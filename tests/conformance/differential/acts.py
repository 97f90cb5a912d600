"""Acts: what the driver does to a tree.

An act is a few steps that may follow one another at once. Between acts the world comes to rest.
What dies in an act must not be waited for by something else that the same act ends. So helpers
outside of the tree hold the calls that stay open: `b0` keeps callers waiting, `p0` is what workers
link to, `q0` watches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from .trees import REASONS, RESTARTS, SLOTS, SUPERVISORS, Tree, is_deaf

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

HELPERS: Final = {"b0": "server", "p0": "proc", "q0": "proc"}
BUSY: Final = 300  # ms: longer than all the slots together
FROMS: Final = ("f0", "f1")
STOP_LIMIT: Final = 50  # ms

Step = list[Any]
Program = list[Any]


@dataclass
class Act:
    """Steps that belong together.

    Attributes:
        steps: what to do; `CALL` in place of a key stands for a new one.
        saves: the key under which a caller may be kept.
        needs: the key that has to be kept before.
        busy: whether it keeps a worker busy, so that the acts `within` happen meanwhile.
        within: the acts that happen while a worker is busy.
    """

    steps: list[Step]
    saves: str | None = None
    needs: str | None = None
    busy: bool = False
    within: list[Act] = field(default_factory=list)


CALL: Final = "(call)"
MILD: Final = tuple(reason for reason in REASONS if reason != "kill")


def do(*program: Step) -> dict[str, Program]:
    """Return the message that brings a program."""
    return {"do": list(program)}


@st.composite
def acts(draw: DrawFn, tree: Tree) -> Act:
    """Draw one act."""
    tree.draw = draw
    if tree.timed and tree.often_not(3):
        return tree.pick(*SLOW)(tree)  # type: ignore[no-any-return]
    return quick(tree)


def quick(tree: Tree) -> Act:
    """Draw an act that takes no time."""
    return tree.pick(*QUICK)(tree)  # type: ignore[no-any-return]


def server(tree: Tree) -> Any:
    """Draw a server."""
    return tree.pick(*(tree.of_kind("server") or ["b0"]))


def death(tree: Tree) -> Step:
    """Draw a way in which a program ends its server."""
    way = tree.pick("quit", "raise", "exit", "garbage")
    return {"raise": ["raise", "boom"], "garbage": ["garbage", "junk"]}.get(way) or [
        way,
        tree.pick(*REASONS),
    ]


def crash(tree: Tree) -> Act:
    """A server ends itself while it handles a cast, a plain message or a call."""
    match tree.pick("cast", "send", "call", "last words"):
        case "call":
            return Act([["call_start", CALL, server(tree), do(death(tree))]])
        case "last words":
            words = ["quit", tree.pick(*REASONS), {"reply": "bye"}]
            return Act([["call_start", CALL, server(tree), do(words)]])
        case op:
            return Act([[op, server(tree), do(death(tree))]])


def burst(tree: Tree) -> Act:
    """Messages of one sender come in their order; the last is the end."""
    who = server(tree)
    last = ["cast", who, do(death(tree))]
    return Act([["cast", who, do(["add", 1])], ["send", who, "hello"], last])


def signal(tree: Tree) -> Act:
    """Somebody gets an exit signal of the driver."""
    workers = tree.of_kind("server", "proc")
    if tree.pick("any", "kill") == "any":
        reason = tree.pick(*MILD)
        return Act([["signal", tree.pick(*workers, *tree.of_kind(*SUPERVISORS)), reason]])
    killed = workers if tree.gentle else [*workers, *tree.of_kind(*SUPERVISORS)]
    return Act([["signal", tree.pick(*killed), "kill"]])


def manage(tree: Tree) -> Act:
    """A supervisor is told to terminate, restart or delete a child."""
    who = tree.pick(*tree.of_kind("supervisor"))
    child = tree.pick(*(spec["start"] for spec in tree.defs[who]["children"]), "x0")
    op = tree.pick("terminate_child", "restart_child", "delete_child", "get_childspec", "both")
    if op == "both":
        then = tree.pick("restart_child", "delete_child")
        return Act([["terminate_child", who, child], [then, who, child]])
    return Act([[op, who, child]])


def manage_pool(tree: Tree) -> Act:
    """A dynamic supervisor is told to start or to terminate a child."""
    pools = tree.of_kind("dynamic_supervisor")
    if not pools:
        return begin(tree)
    who = tree.pick(*pools)
    match tree.pick("start", "start", "task", "terminate"):
        case "terminate":
            return Act([["terminate_child", who, tree.pick("x0", "x1", "x0#1")]])
        case "task":
            child = {"start": "t0", "restart": tree.pick(*RESTARTS)}
        case _:
            child = late_child(tree)
    return Act([["start_child", who, child]])


def begin(tree: Tree) -> Act:
    """A supervisor is told to start a child more, or the whole tree is started again."""
    if tree.pick("child", "child", "tree") == "tree":
        return Act([["ensure", "s0"]])
    # a task that ends at once would race with the next child when several are restarted
    task = {"start": "t0", "restart": "temporary"}
    child = task if tree.often_not(4) else late_child(tree)
    return Act([["start_child", tree.pick(*tree.of_kind("supervisor")), child]])


def late_child(tree: Tree) -> dict[str, Any]:
    """Draw the specification of a child that is started later."""
    name = tree.pick("x0", "x1", *(["y0"] if "y0" in tree.defs else []))
    brutal = tree.often_not(4) or is_deaf(tree.defs[name])
    spec = {"start": name, "restart": tree.pick(*RESTARTS)}
    return spec | ({"shutdown": "brutal_kill"} if brutal else {})


def stop(tree: Tree) -> Act:
    """A server or a supervisor is told to stop."""
    options = [] if tree.timed else [{"timeout": STOP_LIMIT}]
    who = server(tree) if tree.pick("one", "many") == "one" else tree.pick(*supervisors(tree))
    return Act([["stop", who, tree.pick(*REASONS), *options]])


def supervisors(tree: Tree) -> list[str]:
    """Name the supervisors of all kinds."""
    return tree.of_kind(*SUPERVISORS)


TALK: Final = (
    "ping",
    "get",
    do(["add", 1]),
    do(["add", 2], ["reply", "$state"]),
    do(["reply", 1, {"continue": "more"}]),
    do(["save_from", "f9"], ["reply_to", "f9", "early"], ["reply", "late"]),
    do(["save_from", "f9"], ["reply_to", "f9", "early"], ["raise", "boom"]),
    do(["note", "$gen"]),
    do(["trap_exit", False]),
)


def talk(tree: Tree) -> Act:
    """A server answers, changes its state, carries on with a continuation."""
    return Act([["call_start", CALL, server(tree), tree.pick(*TALK)]])


def query(tree: Tree) -> Act:
    """The driver looks."""
    names = [known["register"] for known in tree.defs.values() if "register" in known]
    name = tree.pick(*(names or ["nobody"]))
    match tree.pick("supervisor", "whereis", "call", "monitor", "flush"):
        case "supervisor":
            op = tree.pick("which_children", "count_children")
            return Act([[op, tree.pick(*supervisors(tree))]])
        case "whereis":
            return Act([["whereis", name]])
        case "call":
            return Act([["call_start", CALL, {"name": name}, "ping"]])
        case "monitor":
            return Act([["monitor", "m9", {"name": name}]])
        case _:
            return Act([["flush_sorted"]])


def open_call(tree: Tree) -> Act:
    """A caller is kept waiting: its answer may come later, or its server dies."""
    key = tree.pick(*FROMS)
    program = do(["save_from", key], ["noreply"])
    return Act([["call_start", CALL, server(tree), program]], saves=key)


def blocked(tree: Tree) -> Act:
    """A server waits in a call, and what comes meanwhile waits in its queue."""
    able = [name for name in tree.of_kind("server") if not tree.defs[name].get("trap_exit")]
    if not able or tree.timed:  # one that traps would be waited for until the call times out
        return open_call(tree)
    who, key = tree.pick(*able), tree.pick(*FROMS)
    waits = do(["call", "b0", do(["save_from", key], ["noreply"])])
    more = tree.pick([], [["settle"], ["call_start", CALL, who, "ping"]])
    return Act([["ensure", "b0"], ["call_start", CALL, who, waits], *more], saves=key)


def reply(tree: Tree) -> Act:
    """The driver answers a call that was kept, perhaps twice, perhaps too late."""
    key = tree.pick(*FROMS)
    return Act([["reply_to", key, "answer"]], needs=key)


def watch(tree: Tree) -> Act:
    """The driver links to a worker, or monitors it, or gives that up."""
    op = tree.pick(["monitor", "m0"], ["link"], ["unlink"], ["monitor", "m1"], ["alive"])
    return Act([[*op, tree.pick(*tree.of_kind("server", "proc"))]])


def help_dies(tree: Tree) -> Act:
    """A helper outside of the tree gets an exit signal."""
    who = tree.pick(*HELPERS)
    reason = tree.pick("kill", "custom", "normal")
    return Act([["ensure", who], ["settle"], ["signal", who, reason]])


def help_watches(tree: Tree) -> Act:
    """A process outside of the tree monitors one of the tree; one only, else two would die."""
    watched = [*tree.single, "s0"][0]
    return Act([["ensure", "q0"], ["settle"], ["send", "q0", do(["monitor", "m2", watched])]])


def bond(tree: Tree) -> Act:
    """A process outside of the tree links to a worker; one only, else two would die at once."""
    if not tree.single:
        return help_watches(tree)
    step = [tree.pick("link", "link", "unlink"), tree.single[0]]
    return Act([["ensure", "p0"], ["settle"], ["send", "p0", do(step)]])


def idle(tree: Tree) -> Act:
    """A server gets nothing to do until its time-out."""
    return Act([["cast", server(tree), do(["noreply", {"timeout": tree.pick(*SLOTS)}])]])


def timer(tree: Tree) -> Act:
    """A timer sends a message, or is cancelled."""
    more = tree.pick([], [["read_timer", "t0"], ["cancel_timer", "t0"]])
    return Act([["send_after", "t0", server(tree), "late", tree.pick(*SLOTS)], *more])


def impatient(tree: Tree) -> Act:
    """A caller that is kept waiting gives up."""
    program = do(["save_from", "f9"], ["noreply"])
    options = {"timeout": tree.pick(*SLOTS)}
    return Act([["call_start", CALL, server(tree), program, options]])


def busy(tree: Tree) -> Act:
    """A server takes long over a call; meanwhile others call it, and things die."""
    who = server(tree)
    more = tree.pick([], [["settle"], ["call_start", CALL, who, "ping"]])
    within = [quick(tree) for _ in range(tree.pick(0, 1, 2))]
    return Act([["call_start", CALL, who, do(["sleep", BUSY])], *more], busy=True, within=within)


QUICK: Final = (  # as often as they shall happen
    *(talk, crash, signal, manage, begin, manage_pool, open_call, reply, blocked, reply),
    *(talk, crash, signal, manage, query, manage_pool, bond, burst, stop, watch, reply),
    *(help_dies, help_watches),
)
SLOW: Final = (idle, timer, impatient, busy)
