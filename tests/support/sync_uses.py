"""A use of each public sync function."""

from __future__ import annotations

from typing import Any

import trio

import trio_otp as otp

# What is left out of the table below, and why.
NOT_CALLED = {
    "check_childspecs": "runs outside of a run",
    "child": "runs outside of a run",
    "init_ack": "needs a process that starts; see test_special_process",
    "init_fail": "needs a process that starts; see test_special_process",
    "is_quiet": "is pure",
    "move_on_when_draining": "is a block",
    "on_call": "decorates",
    "on_call_deferred": "decorates",
    "on_cast": "decorates",
    "on_info": "decorates",
    "on_state": "decorates",
    "pool": "runs outside of a run",
    "published": "runs outside of a run",
    "partitions": "runs outside of a run",
    "registry": "runs outside of a run",
    "run": "is the whole program",
    "template": "runs outside of a run",
    "reply": "needs a call in hand; see test_handlers_do_not_wait",
    "reply_from_task": "needs a call in hand; see test_handlers_do_not_wait",
}
# What each function is called with in a process, with `up` for a server.
SYNC: dict[str, Any] = {
    "abcast": lambda: otp.abcast(["up", "me"], "x"),
    "ancestors": otp.ancestors,
    "apply_after": lambda: otp.apply_after(1, trio.lowlevel.checkpoint),
    "apply_interval": lambda: otp.apply_interval(1, trio.lowlevel.checkpoint),
    "callers": otp.callers,
    "exit_after": lambda: otp.exit_after(1, "x"),
    "kill_after": lambda: otp.kill_after(1),
    "cancel_timer": lambda: otp.cancel_timer(otp.send_after("up", 1, 1)),
    "cast": lambda: otp.cast("up", "x"),
    "check_response": lambda: otp.check_response(otp.send_request("up", "x")),
    "demonitor": lambda: otp.demonitor(otp.monitor("nobody"), flush=True),
    "dictionary": otp.dictionary,
    "exit": lambda: otp.exit("up", otp.NORMAL),
    "get_label": lambda: otp.get_label("up"),
    "is_draining": otp.is_draining,
    "is_alive": lambda: otp.is_alive("up"),
    "link": lambda: otp.link(otp.whereis("up")),
    "metadata": otp.metadata,
    "monitor": lambda: otp.monitor("up"),
    "process_count": otp.process_count,
    "process_info": lambda: otp.process_info("up"),
    "processes": otp.processes,
    "read_timer": lambda: otp.read_timer(otp.send_after("up", 1, 1)),
    "register": lambda: otp.register("new", otp.spawn(trio.lowlevel.checkpoint)),
    "registered": otp.registered,
    "reset_metadata": otp.reset_metadata,
    "self": otp.self,
    "send": lambda: otp.send("me", "x"),
    "send_request": lambda: otp.send_request("up", "x"),
    "send_after": lambda: otp.send_after("me", "x", 1),
    "send_interval": lambda: otp.send_interval("me", "x", 1),
    "send_end": lambda: otp.send_end("me").close(),
    "set_label": lambda: otp.set_label("x"),
    "set_metadata": lambda: otp.set_metadata(a=1),
    "spawn": lambda: otp.spawn(trio.lowlevel.checkpoint),
    "spawn_link": lambda: otp.spawn_link(trio.lowlevel.checkpoint),
    "spawn_monitor": lambda: otp.spawn_monitor(trio.lowlevel.checkpoint),
    "system_monitor": otp.system_monitor,
    "trap_exit": otp.trap_exit,
    "tree": otp.tree,
    "unlink": lambda: otp.unlink(otp.whereis("up")),
    "unregister": lambda: otp.unregister("server"),
    "whereis": lambda: otp.whereis("up"),
}
