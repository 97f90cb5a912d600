"""A model of static supervisors: what a tree has to do, said without processes.

It follows Erlang's manual of `supervisor`: a node is a worker or a supervisor, and whatever
happens to a tree is written down in the words of `supervision_kit.Journal`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import trio_otp as otp


@dataclass(frozen=True)
class Plan:
    """What a child is to be: a worker, or a supervisor of `children`."""

    restart: str = "permanent"
    children: tuple[Plan, ...] | None = None
    strategy: str = "one_for_one"
    max_restarts: int | None = 1
    max_seconds: int = 5
    backoff: bool = False  # whether its restarts are delayed, as `DELAYS` says


DELAYS = (1, 2, 4)  # seconds, the last one again and again
RESET_AFTER = 6
BACKOFF = otp.Backoff(min_delay=1, max_delay=4, jitter=0, reset_after=RESET_AFTER)


@dataclass(eq=False)
class Waiting:
    """What children wait for that are to be started together."""

    due: float
    members: list[Node]


class Gone(Exception):
    """The supervisor at the top has given up."""


@dataclass
class Node:
    """A child, or the tree itself."""

    tag: str
    plan: Plan
    parent: Node | None = None
    state: str = "undefined"
    restarts: int = 0
    children: list[Node] = field(default_factory=list)
    charges: list[int] = field(default_factory=list)
    failures: int = 0  # in a row
    since: float | None = None  # when it was last started, while it runs
    wait: Waiting | None = None

    @property
    def is_supervisor(self) -> bool:
        return self.plan.children is not None

    @property
    def running(self) -> bool:
        return self.state == "running"


class Model:
    """A tree, the time, and what it has written down."""

    def __init__(self, plan: Plan) -> None:
        self.words: list[str] = []
        self.fails: dict[str, int] = {}
        self.now = 0.0
        self.top = Node("top", plan)

    # -- what there is ---------------------------------------------------------------------------

    def nodes(self, node: Node | None = None) -> list[Node]:
        """List all that are beneath a running supervisor, itself first."""
        node = node or self.top
        found = [node]
        for child in node.children if node.running else []:
            found += self.nodes(child)
        return found

    def running(self, *, supervisors: bool) -> list[Node]:
        """List the running workers, or supervisors."""
        return [n for n in self.nodes() if n.running and n.is_supervisor == supervisors]

    # -- starts and stops ------------------------------------------------------------------------

    def start(self, node: Node) -> bool:
        """Start a child; a supervisor begins anew with the children of its plan."""
        if node.plan.children is None:
            return self._start_worker(node)
        node.charges = []
        node.children = [
            Node(f"{node.tag}.{number}", plan, node)
            for number, plan in enumerate(node.plan.children)
        ]
        for child in node.children:
            if not self.start(child):
                self._stop_children(node)
                return False
        return self._runs(node)

    def _runs(self, node: Node) -> bool:
        node.state, node.since = "running", self.now
        return True

    def _down(self, node: Node) -> None:
        """A child is down; if it was well for long enough its delays begin anew."""
        if node.since is not None and self.now - node.since >= RESET_AFTER:
            node.failures = 0
        node.state, node.since, node.wait = "undefined", None, None

    def _start_worker(self, node: Node) -> bool:
        if self.fails.get(node.tag, 0) > 0:
            self.fails[node.tag] -= 1
            self.words.append(f"!{node.tag}")
            return False
        self.words.append(f"+{node.tag}")
        return self._runs(node)

    def stop(self, node: Node) -> None:
        """Stop a running child in order."""
        if node.is_supervisor:
            self._stop_children(node)
        else:
            self.words += [f"-{node.tag}", f"={node.tag}"]
        self._down(node)

    def _stop_children(self, node: Node) -> None:
        for child in reversed(list(node.children)):
            if child.running:
                self._stop_child(child)

    def _stop_child(self, child: Node) -> None:
        self.stop(child)
        self._forget_temporary(child)

    def _forget_temporary(self, child: Node) -> None:
        if child.plan.restart == "temporary":
            assert child.parent is not None
            child.parent.children.remove(child)

    # -- ends ------------------------------------------------------------------------------------

    def ended(self, node: Node, reason: object) -> None:
        """Let the parent do what the end of a child calls for."""
        parent = node.parent
        if parent is None:
            raise Gone
        quiet = reason in (otp.NORMAL, otp.SHUTDOWN) or isinstance(reason, otp.Shutdown)
        self._down(node)
        if node.plan.restart == "permanent" or (node.plan.restart == "transient" and not quiet):
            self._restart(parent, node)
        else:
            self._forget_temporary(node)

    def _restart(self, parent: Node, failed: Node) -> None:
        due: Node | None = failed
        while due is not None and not self._waits(parent, due):
            if not self._charge(parent):
                self._give_up(parent)
                return
            due = self._restart_group(parent, due)

    def _give_up(self, node: Node) -> None:
        self._stop_children(node)
        self.ended(node, otp.SHUTDOWN)

    def _waits(self, parent: Node, failed: Node) -> bool:
        """Delay a group: by the delay of the failed child, or longer if others wait already."""
        group = self._group(parent, failed)
        times = [child.wait.due for child in group if child.wait is not None]
        if failed.plan.backoff:
            times.append(self.now + DELAYS[min(failed.failures, len(DELAYS) - 1)])
            failed.failures += 1
        if not times:
            return False
        for child in reversed(group):
            if child.running:
                self._stop_child(child)
        wait = Waiting(max(times), [child for child in group if child in parent.children])
        for child in wait.members:
            child.state, child.wait = "restarting", wait
        return True

    def _charge(self, parent: Node) -> bool:
        if parent.plan.max_restarts is None:
            return True
        second = math.floor(self.now)
        parent.charges.append(second)
        window = [charge for charge in parent.charges if charge >= second - parent.plan.max_seconds]
        return len(window) <= parent.plan.max_restarts

    def _restart_group(self, parent: Node, failed: Node) -> Node | None:
        """Restart the group of a child; give the one whose start failed."""
        failed.state = "undefined"
        group = self._group(parent, failed)
        for child in reversed(group):
            if child.running:
                self._stop_child(child)
        return self._start_all([child for child in group if child in parent.children])

    def _group(self, parent: Node, failed: Node) -> list[Node]:
        at = parent.children.index(failed)
        first, last = {
            "one_for_one": (at, at + 1),
            "rest_for_one": (at, len(parent.children)),
            "one_for_all": (0, len(parent.children)),
        }[parent.plan.strategy]
        return parent.children[first:last]

    def _start_all(self, children: list[Node]) -> Node | None:
        for child in children:
            if not self.start(child):
                return child
            child.restarts += 1
        return None

    # -- time ------------------------------------------------------------------------------------

    def tick(self, seconds: float) -> None:
        """Advance the time, and do what becomes due."""
        end = self.now + seconds
        while waiting := [(n.wait.due, n) for n in self._waiting() if n.wait is not None]:
            due, node = min(waiting, key=lambda pair: pair[0])
            if due > end:
                break
            self.now = due
            self._due(node)
        self.now = end

    def _waiting(self) -> list[Node]:
        return [node for node in self.nodes() if node.wait is not None]

    def _due(self, node: Node) -> None:
        parent, wait = node.parent, node.wait
        assert parent is not None
        assert wait is not None
        members = [child for child in wait.members if child.wait is wait]
        if not self._charge(parent):
            self._give_up(parent)
            return
        for child in members:
            child.state, child.wait = "undefined", None
        failed = self._start_all(members)
        if failed is not None:
            self._restart(parent, failed)

    # -- what can happen from outside --------------------------------------------------------------

    def end_worker(self, node: Node, reason: object) -> None:
        """Let a worker end by itself, or by a kill."""
        if reason is not otp.KILLED:
            self.words += [f"-{node.tag}", f"={node.tag}"]
        self.ended(node, reason)

    def kill_supervisor(self, node: Node) -> None:
        """Let a supervisor be killed: workers die of the link, supervisors stop theirs in order."""
        for child in node.children:
            if child.running and child.is_supervisor:
                self._stop_children(child)
        self.ended(node, otp.KILLED)

    def stop_supervisor(self, node: Node) -> None:
        """Let a supervisor be stopped, by nobody who is in charge of it."""
        self.stop(node)
        self.ended(node, otp.NORMAL)

    def start_child(self, parent: Node, tag: str, plan: Plan) -> type[Exception] | None:
        """Return the error of `start_child`, if any."""
        known = self._find(parent, tag)
        if known is not None:
            return otp.AlreadyStarted if known.running else otp.ChildAlreadyPresent
        node = Node(tag, plan, parent)
        if not self.start(node):
            return otp.StartError
        parent.children.append(node)
        return None

    def terminate_child(self, parent: Node, tag: str) -> type[Exception] | None:
        """Return the error of `terminate_child`, if any."""
        node = self._find(parent, tag)
        if node is None:
            return otp.ChildNotFound
        if node.running:
            self._stop_child(node)
        else:
            node.state, node.wait = "undefined", None
        return None

    def restart_child(self, parent: Node, tag: str) -> type[Exception] | None:
        """Return the error of `restart_child`, if any."""
        node = self._find(parent, tag)
        if node is None:
            return otp.ChildNotFound
        if node.running:
            return otp.ChildRunning
        if node.wait is not None:
            return otp.ChildRestarting
        return None if self.start(node) else otp.StartError

    def delete_child(self, parent: Node, tag: str) -> type[Exception] | None:
        """Return the error of `delete_child`, if any."""
        node = self._find(parent, tag)
        if node is None:
            return otp.ChildNotFound
        if node.running:
            return otp.ChildRunning
        if node.wait is not None:
            return otp.ChildRestarting
        parent.children.remove(node)
        return None

    def _find(self, parent: Node, tag: Any) -> Node | None:
        return next((child for child in parent.children if child.tag == tag), None)
