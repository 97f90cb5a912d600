"""OTP's behaviours for Trio."""
from .child import Child, child
from .client import on_call, on_call_deferred, on_cast, on_info
from .exits import *
from .gen_server import *
from .links import demonitor, exit, link, monitor, trap_exit, unlink
from .names import register, registered, send, send_end, unregister, whereis
from .process import Down, Exit, Monitor, Pid
from .request import From
from .send_after import cancel_timer, read_timer, send_after
from .spawn import (
    ancestors,
    callers,
    dictionary,
    get_label,
    is_alive,
    open_process,
    receive,
    self,
    set_label,
    spawn,
    spawn_link,
    spawn_monitor,
)
from .starting import start, start_link, start_monitor
