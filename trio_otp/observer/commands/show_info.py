"""`trio-otp info`: all that is known of one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from .asking import connected, shown
from .stack_text import stack_text

if TYPE_CHECKING:
    import argparse

# What is shown in a line of its own if there is any of it, in this order: {field: its title}
TITLES: Final = {
    "status": "status",
    "behaviour": "behaviour",
    "label": "label",
    "message_queue_len": "queue",
    "mailbox": "mailbox",
    "message": "message",
    "client": "client",
    "seconds": "for",
    "waits_for": "waits for",
    "handled": "handled",
    "unanswered": "unanswered",
    "supervisor": "supervisor",
    "child_id": "child id",
    "restart": "restart",
    "restarts": "restarts",
    "summary": "strategy",
    "parent": "parent",
    "ancestors": "ancestors",
    "callers": "callers",
    "links": "links",
    "monitors": "monitors",
    "monitored_by": "monitored by",
    "trap_exit": "trap exit",
    "dictionary": "dictionary",
    "started": "started",
    "os_pid": "os pid",
    "thread": "thread",
}
LISTS: Final = {"ancestors", "callers", "links", "monitors", "monitored_by", "dictionary"}
ALWAYS: Final = {"status", "behaviour", "message_queue_len", "handled"}
INDENT: Final = max(map(len, TITLES.values())) + 2


def command(given: argparse.Namespace) -> int:
    """Carry it out."""
    with connected(given) as client:
        return shown(given, client, client.ask("info", ref=given.ref), lines)


def lines(result: dict[str, Any]) -> list[str]:
    """Return what an answer says, a line for each fact."""
    info = result["info"]
    return [
        f"{info['pid']} {info['name']}",
        *_facts(info),
        *_listed("history", [_ended(end) for end in info.get("history") or ()]),
        *_state(info),
        *_listed("messages", [_message(message) for message in info.get("messages") or ()]),
        *_listed("calls", [_waiting(call) for call in info.get("waiting_for_it") or ()]),
        *_listed("stack", stack_text(info["stack"])),
    ]


def _facts(info: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for field, title in TITLES.items():
        value = info.get(field)
        if value or field in ALWAYS:
            found.append(f"  {title:{INDENT}}{_value(field, value)}")
    budget = info.get("budget")
    if budget is not None:
        used = f"{budget['used']}/{budget['limit']} in {budget['seconds']:g} s"
        found.append(f"  {'budget':{INDENT}}{used}")
    return found


def _value(field: str, value: Any) -> str:
    if field == "seconds":
        return f"{value:.1f} s"
    if field in LISTS:
        return ", ".join(map(_who, value))
    return _who(value)


def _who(value: Any) -> str:
    """Name a process by its number and name; other values as they are."""
    if not isinstance(value, dict):
        return str(value)
    link = cast("dict[str, Any]", value)
    number = "" if link.get("pid") is None else f"{link['pid']} "
    return f"{number}{link.get('name')}{' (dead)' if link.get('dead') else ''}"


def _state(info: dict[str, Any]) -> list[str]:
    state, stale = info.get("state"), info.get("stale")
    title = "state" if stale is None else f"state ({stale})"
    if state is None:
        return [] if stale is None else [f"  {title}"]
    items = state.get("items")
    return _listed(title, [state["text"]] if not items else [f"{k} = {v}" for k, v in items])


def _message(message: dict[str, Any]) -> str:
    since = message.get("seconds")
    waits = "" if since is None else f", {since} s"
    return f"{message.get('text')}{waits}"


def _waiting(call: dict[str, Any]) -> str:
    return f"{_who(call)}: {call.get('request')}, {call.get('seconds')} s"


def _ended(end: dict[str, Any]) -> str:
    return f"{end.get('ago')} s ago: {end.get('id')}: {end.get('reason')}"


def _listed(title: str, found: list[str]) -> list[str]:
    return [f"  {title}", *(f"    {line}" for line in found)] if found else []
