"""gen_event: one process, the event manager, that gives every event to any number of handlers.

**Why.** A handler is an object that is put in and taken out while the program runs: a log, a
counter, an alarm. Who notifies knows none of them, and one that crashes takes only itself out.

>>> import trio, trio_otp as otp
>>> class Ledger(otp.GenEvent):
...     def __init__(self, currency: str) -> None:
...         self.currency = currency
...         self.total = 0
...     def handle_event(self, event):
...         match event:
...             case ("sold", int(price)):
...                 self.total += price
...     @otp.on_call
...     def report(self) -> str:
...         return f"{self.total} {self.currency}"
>>> async def main():
...     async with otp.open_supervisor([otp.child(otp.EventManager).having(name="shop")]):
...         await otp.gen_event.add_handler("shop", Ledger("EUR"))
...         otp.gen_event.notify("shop", ("sold", 5))
...         otp.gen_event.notify("shop", ("sold", 7))
...         print(await Ledger.at("shop").report())
...         print(await otp.gen_event.which_handlers("shop"))
>>> trio.run(main)
12 EUR
[<class 'trio_otp.gen_event.Ledger'>]

**Client side** `notify` does not wait, `sync_notify` waits until all handlers have had the event.
What a handler answers to `call` is typed if its methods are `on_call` methods and the call goes
through `Ledger.at(manager)`.

`send_request` asks a handler without waiting, as `otp.send_request` does a server: several answers
can be waited for at once, also together with those of servers in one `otp.RequestIds`.

**Server side** handlers run one after another in the process of the manager, the newest first. The
handler object is its state. A handler is named by its class, or by `(class, id)` if it was added
with an id.

**Supervise** the manager, `otp.EventManager`, as any other child. When it is restarted, the
handlers that were added are gone with it. `otp.child(otp.EventManager, [Ledger1, Ledger2])` makes
handlers at each start; `add_sup_handler` tells the process that added a handler, in a `HandlerExit`
message, when that is gone.

**When not to use it.** A slow handler holds up all others, and all that wait in `sync_notify`. For
subscribers that are processes of their own, take a Registry with duplicate keys.

Follows: Erlang's `gen_event`.
"""

from __future__ import annotations

from ._gen_event.functions import (
    add_handler,
    add_sup_handler,
    call,
    delete_handler,
    notify,
    send_request,
    stop,
    swap_handler,
    swap_sup_handler,
    sync_notify,
    which_handlers,
)
from ._gen_server.request_ids import check_response, receive_response, wait_response

__all__ = [
    "add_handler",
    "add_sup_handler",
    "call",
    "check_response",
    "delete_handler",
    "notify",
    "receive_response",
    "send_request",
    "stop",
    "swap_handler",
    "swap_sup_handler",
    "sync_notify",
    "wait_response",
    "which_handlers",
]


def __dir__() -> list[str]:
    return __all__
