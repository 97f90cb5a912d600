"""What tests reach inside the library: the one place that knows in which module it is.

All else they use is public. A name that moves is followed here alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trio_otp import events
from trio_otp._application.block import open_block
from trio_otp._application.changes import change_of
from trio_otp._application.config import fit, read_config
from trio_otp._application.controller import controller
from trio_otp._application.environment import parse_setting
from trio_otp._application.explain import explain
from trio_otp._application.graph import present
from trio_otp._behaviour.child_options import CHECKS, ChildOptions, ClassOptions
from trio_otp._behaviour.results import Ignore
from trio_otp._exits.bare import NURSERY_TEXT, essence
from trio_otp._exits.log_text import LIBRARIES, traceback_text
from trio_otp._exits.remembered import remembered
from trio_otp._gen_server import life, message_loop
from trio_otp._gen_server.loop import ServerLoop
from trio_otp._gen_server.message_loop import MessageLoop
from trio_otp._gen_server.methods import CallMessage, Message
from trio_otp._gen_statem.effects import (
    Answer,
    Arm,
    Become,
    Disarm,
    Fail,
    Halt,
    Happening,
)
from trio_otp._gen_statem.engine import Engine
from trio_otp._gen_statem.loop import StatemLoop
from trio_otp._gen_statem.statem_svg import Edge
from trio_otp._gen_statem.statem_svg import as_svg as statem_as_svg
from trio_otp._inspect import clocks, monitor
from trio_otp._inspect.dump import dump
from trio_otp._inspect.held import Held, LongQueues, Notices
from trio_otp._inspect.introspect import Status, info_of, loop_of
from trio_otp._inspect.shown_stack import NAMERS, folded_stack
from trio_otp._inspect.tree_formats import MERMAID_NODES, TreeNode, as_mermaid
from trio_otp._inspect.tree_svg import BOXES, DEEPEST, as_svg
from trio_otp._log.limit import Burst
from trio_otp._net import connection
from trio_otp._net.connection_limits import MAX_ANSWERED, ConnectionLimits, client_at
from trio_otp._net.pool_core import End, Lend, PoolCore, Watch
from trio_otp._net.pool_core import Limits as PoolLimits
from trio_otp._net.pool_core import Start as PoolStart
from trio_otp._net.pool_core import State as PoolState
from trio_otp._port import os_group, worker_thread
from trio_otp._port import output as port_output
from trio_otp._port.output import MOST_WAITING, Lines
from trio_otp._process import request
from trio_otp._process.crash_facts import MOST
from trio_otp._process.doing import doing_text
from trio_otp._process.draining import Draining, cut_draining
from trio_otp._process.loop_now import loop_now, step_of
from trio_otp._process.mailbox import NO_QUEUE, Mailbox
from trio_otp._process.names import need_living
from trio_otp._process.nursery import OrderedNursery
from trio_otp._process.process import Process
from trio_otp._process.runtime import Runtime, need_process, runtime
from trio_otp._process.stack import stack_of
from trio_otp._process.tables import packed, with_key, without_key
from trio_otp._process.timers import Timer
from trio_otp._process.wait_edges import AnyOf, is_stuck
from trio_otp._program.program import _Program
from trio_otp._program.reloading import Reloads
from trio_otp._program.stderr import flush_errors, write_last, write_now
from trio_otp._program.systemd import Notifier, watchdog_interval
from trio_otp._registry.lock import Locks
from trio_otp._registry.table import RegistryTable, strict_key
from trio_otp._supervisor.delays import Delays, Wait, check_backoff
from trio_otp._supervisor.dynamic_loop import DynamicLoop
from trio_otp._supervisor.flags import check_flags, check_intensity
from trio_otp._supervisor.intensity import Intensity
from trio_otp._supervisor.loop import SupervisorLoop
from trio_otp._supervisor.partition import PartitionLoop
from trio_otp._supervisor.partition_key import partition_of
from trio_otp._supervisor.policy import (
    ChildEntry,
    Delay,
    GiveUp,
    Policy,
    Report,
    Retry,
    StartChild,
    State,
    StopChild,
)
from trio_otp._supervisor.static_loop import StaticLoop, SupervisorSpec
from trio_otp._util import version
from trio_otp._util.async_functions import gives_awaitable
from trio_otp._util.blocks import Block, Table
from trio_otp._util.bounded import bounded, safe_repr, shown_text, visible
from trio_otp._util.copies import Mark, NoConstructor, create
from trio_otp._util.lazy import LATE_MODULES, LATE_NAMES
from trio_otp._util.signature import Parameters, check_arguments, parameters_of
from trio_otp._util.unset import UNSET
from trio_otp.cli import _parser as parser
from trio_otp.cluster import streams
from trio_otp.cluster.turn_end import TurnEnd
from trio_otp.testing import held_loop

if TYPE_CHECKING:
    import trio

    import trio_otp as otp


def carrying() -> set[Any]:
    """Return the hook slots of the runs in which something travels with messages."""
    return set(events.CARRYING)


def process_of(pid: otp.Pid[Any]) -> Any:
    """Return the process behind a pid, None if it is of another run or was made from text."""
    return pid._process


async def accept_node(stream: trio.abc.Stream) -> None:
    """Have the node of this run serve somebody who has connected by a stream."""
    node: Any = runtime().node
    await node.connect.__self__.accept(stream)


def peer_tables(name: str) -> Any:
    """Return what the node of this run knows of another one."""
    node: Any = runtime().node
    return node.peer(name)


def load_pid(wire: Any) -> Any:
    """Return the pid of the run that has come in as this one."""
    node: Any = runtime().node
    return node.pids.load(wire)


def dump_pid(pid: Any) -> Any:
    """Return what a pid of the run goes out as."""
    node: Any = runtime().node
    return node.pids.dump(pid)
