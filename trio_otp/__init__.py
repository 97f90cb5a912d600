"""Erlang/OTP's behaviours for Trio: processes, servers, names, supervisors, applications.

Use it as `import trio_otp as otp`. Modules are layered; each imports only from its own row and from
rows above it. `docs/design.md` has the row of every module:

0. exit reasons and errors; hook slots for logs and observers
1. mailboxes, timers: what a process is built on
2. processes: where they live, names, links, calls
3. behaviours, one file each, named as OTP names it, its parts beside it
4. supervision trees
5. whole systems, run and seen from outside
6. what people touch
"""

from typing import TYPE_CHECKING

from . import events as events
from . import reports as reports
from .child import Child as Child
from .child import ChildSpec as ChildSpec
from .child import child as child
from .client import on_call as on_call
from .client import on_call_deferred as on_call_deferred
from .client import on_cast as on_cast
from .client import on_info as on_info
from .exits import KILL as KILL
from .exits import KILLED as KILLED
from .exits import NOPROC as NOPROC
from .exits import NORMAL as NORMAL
from .exits import SHUTDOWN as SHUTDOWN
from .exits import TIMEOUT as TIMEOUT
from .exits import AlreadyRegistered as AlreadyRegistered
from .exits import AlreadyStarted as AlreadyStarted
from .exits import BadReturn as BadReturn
from .exits import CallbackFailed as CallbackFailed
from .exits import CallError as CallError
from .exits import CallingSelf as CallingSelf
from .exits import CallTimeout as CallTimeout
from .exits import ChildAlreadyPresent as ChildAlreadyPresent
from .exits import ChildError as ChildError
from .exits import ChildNotFound as ChildNotFound
from .exits import ChildRestarting as ChildRestarting
from .exits import ChildRunning as ChildRunning
from .exits import DeadlockError as DeadlockError
from .exits import FailedToStartChild as FailedToStartChild
from .exits import MaxChildren as MaxChildren
from .exits import NoCallback as NoCallback
from .exits import NoProcess as NoProcess
from .exits import NotAProcess as NotAProcess
from .exits import NotInRun as NotInRun
from .exits import NotSuspended as NotSuspended
from .exits import OtpError as OtpError
from .exits import ProcessExited as ProcessExited
from .exits import ServerExited as ServerExited
from .exits import Shutdown as Shutdown
from .exits import SpecError as SpecError
from .exits import StartError as StartError
from .exits import SupervisorExited as SupervisorExited
from .exits import WrongServer as WrongServer
from .exits import is_quiet as is_quiet
from .gen_server import GenServer as GenServer
from .gen_server import call as call
from .gen_server import cast as cast
from .gen_server import reply as reply
from .gen_server import reply_from_task as reply_from_task
from .gen_server import stop as stop
from .lazy import install as _install
from .links import demonitor as demonitor
from .links import exit as exit
from .links import link as link
from .links import monitor as monitor
from .links import trap_exit as trap_exit
from .links import unlink as unlink
from .names import Atom as Atom
from .names import Ref as Ref
from .names import ViaModule as ViaModule
from .names import register as register
from .names import registered as registered
from .names import send as send
from .names import send_end as send_end
from .names import unregister as unregister
from .names import whereis as whereis
from .open_process import open_process as open_process
from .pid import Pid as Pid
from .request import From as From
from .send_after import cancel_timer as cancel_timer
from .send_after import read_timer as read_timer
from .send_after import send_after as send_after
from .server_messages import Cast as Cast
from .server_messages import Timeout as Timeout
from .server_results import IGNORE as IGNORE
from .server_results import NoReply as NoReply
from .server_results import Reply as Reply
from .server_results import Stop as Stop
from .signals import Down as Down
from .signals import Exit as Exit
from .signals import Monitor as Monitor
from .spawn import ReceiveTimeout as ReceiveTimeout
from .spawn import ancestors as ancestors
from .spawn import callers as callers
from .spawn import dictionary as dictionary
from .spawn import get_label as get_label
from .spawn import is_alive as is_alive
from .spawn import receive as receive
from .spawn import self as self
from .spawn import set_label as set_label
from .spawn import spawn as spawn
from .spawn import spawn_link as spawn_link
from .spawn import spawn_monitor as spawn_monitor
from .start import start as start
from .start import start_link as start_link
from .start import start_monitor as start_monitor
from .template import template as template
from .timers import Timer as Timer

if TYPE_CHECKING:  # imported at their first use: lazy.py says from where
    from . import alarm_handler as alarm_handler
    from . import application as application
    from . import gen_event as gen_event
    from . import observer as observer
    from . import pg as pg
    from . import sys as sys
    from . import task as task
    from . import testing as testing
    from .agent import Agent as Agent
    from .application_base import Application as Application
    from .application_errors import ApplicationExited as ApplicationExited
    from .application_errors import ApplicationStartError as ApplicationStartError
    from .application_errors import ConfigChangeError as ConfigChangeError
    from .application_errors import NoController as NoController
    from .application_errors import NoSetting as NoSetting
    from .application_errors import NotStarted as NotStarted
    from .application_errors import UnknownApplication as UnknownApplication
    from .dynamic_supervisor import DynamicSupervisor as DynamicSupervisor
    from .enter_loop import enter_loop as enter_loop
    from .event_handler import GenEvent as GenEvent
    from .event_handler import HandlerCrashed as HandlerCrashed
    from .event_handler import HandlerExit as HandlerExit
    from .event_handler import NoHandler as NoHandler
    from .event_handler import OwnerExited as OwnerExited
    from .event_handler import RemoveHandler as RemoveHandler
    from .event_handler import SwapHandler as SwapHandler
    from .event_handler import Swapped as Swapped
    from .event_manager import EventManager as EventManager
    from .gen_statem import GenStatem as GenStatem
    from .gen_statem import on_state as on_state
    from .intervals import apply_after as apply_after
    from .intervals import apply_interval as apply_interval
    from .intervals import send_interval as send_interval
    from .introspect import ProcessInfo as ProcessInfo
    from .introspect import process_count as process_count
    from .introspect import process_info as process_info
    from .introspect import processes as processes
    from .management import check_childspecs as check_childspecs
    from .management import count_children as count_children
    from .management import delete_child as delete_child
    from .management import ensure_child as ensure_child
    from .management import get_childspec as get_childspec
    from .management import restart_child as restart_child
    from .management import start_child as start_child
    from .management import terminate_child as terminate_child
    from .management import which_child as which_child
    from .management import which_children as which_children
    from .metadata import metadata as metadata
    from .metadata import reset_metadata as reset_metadata
    from .metadata import set_metadata as set_metadata
    from .multi_call import MultiReply as MultiReply
    from .multi_call import abcast as abcast
    from .multi_call import multi_call as multi_call
    from .open_application import OpenApplication as OpenApplication
    from .open_application import open_application as open_application
    from .open_supervisor import OpenSupervisor as OpenSupervisor
    from .open_supervisor import open_supervisor as open_supervisor
    from .os_process import ExitStatus as ExitStatus
    from .partition_supervisor import PartitionSupervisor as PartitionSupervisor
    from .partitions import Partitions as Partitions
    from .partitions import partitions as partitions
    from .port import Port as Port
    from .port_output import PortLine as PortLine
    from .program import run as run
    from .registry import NotRegistered as NotRegistered
    from .registry import Registered as Registered
    from .registry import Registry as Registry
    from .registry import Unregistered as Unregistered
    from .registry_handle import RegistryHandle as RegistryHandle
    from .registry_handle import registry as registry
    from .registry_subscription import Subscription as Subscription
    from .request_collection import RequestIds as RequestIds
    from .request_ids import RequestId as RequestId
    from .request_ids import check_response as check_response
    from .request_ids import receive_response as receive_response
    from .request_ids import send_request as send_request
    from .request_ids import wait_response as wait_response
    from .special_process import SpecialProcess as SpecialProcess
    from .special_process import init_ack as init_ack
    from .special_process import init_fail as init_fail
    from .statem_actions import ChangeCallbacks as ChangeCallbacks
    from .statem_actions import KeepState as KeepState
    from .statem_actions import NextEvent as NextEvent
    from .statem_actions import NextState as NextState
    from .statem_actions import PopCallbacks as PopCallbacks
    from .statem_actions import Postpone as Postpone
    from .statem_actions import PushCallbacks as PushCallbacks
    from .statem_actions import RepeatState as RepeatState
    from .statem_actions import ReplyTo as ReplyTo
    from .statem_actions import StopAndReply as StopAndReply
    from .statem_timeouts import CancelTimeout as CancelTimeout
    from .statem_timeouts import Event as Event
    from .statem_timeouts import EventTimeout as EventTimeout
    from .statem_timeouts import GenericTimeout as GenericTimeout
    from .statem_timeouts import StateTimeout as StateTimeout
    from .statem_timeouts import TimeoutOf as TimeoutOf
    from .statem_timeouts import UpdateTimeout as UpdateTimeout
    from .supervision_data import ChildInfo as ChildInfo
    from .supervision_data import Counts as Counts
    from .supervisor import Supervisor as Supervisor
    from .task_handle import Task as Task
    from .task_result import NotOwner as NotOwner
    from .task_result import TaskExited as TaskExited
    from .task_result import TaskReply as TaskReply
    from .task_result import TaskTimeout as TaskTimeout
    from .task_supervisor import TaskSupervisor as TaskSupervisor
    from .tree import tree as tree
    from .worker_thread import WorkerThread as WorkerThread
else:
    __getattr__, __dir__ = _install(__name__)

del TYPE_CHECKING
