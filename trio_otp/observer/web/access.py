"""Who may talk to the observer's page, and what a browser may do with it. Pure.

Any page that a user has open can send requests to a port of their machine, and any program on it
can listen on another port. So three things have to hold, and none of them is a cookie, which a
browser sends to every port of a host:

* `Host` is a name of this machine, so a foreign name that was made to lead here is refused (421).
* `Origin`, which a browser sets and a page cannot, is that host, so no other page gets in (403).
* The token, which is in the part of the address that no browser sends, comes in the first frame.

Follows: RFC 9110 section 15.5.20, RFC 6455 section 10.2, Content Security Policy Level 3.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import TypeAlias

    Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# What every answer says to a browser.
SAFE: Final = (
    ("Content-Security-Policy", CSP),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
_AUTHORITY: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/?#@\s]+)(?::([0-9]{1,5}))?")


class Refusal(NamedTuple):
    """Why a request is not carried out: a status of HTTP, and a line for the user."""

    status: int
    text: str


def refusal(headers: Headers, hosts: Collection[str], *, upgrade: bool) -> Refusal | None:
    """Return why a request is refused, or None.

    Args:
        headers: names, in lower case, and values.
        hosts: names besides those of this machine, each with or without a port.
        upgrade: whether it asks for a WebSocket; then it has to say where it comes from.
    """
    named = _values(headers, b"host")
    if len(named) != 1 or not is_host(named[0], hosts):
        return Refusal(421, "This address is not one of the observer: use localhost, or `hosts`.")
    origins = _values(headers, b"origin")
    if (upgrade and not origins) or any(not _is_origin(each, named[0]) for each in origins):
        return Refusal(403, "Only the observer's own page may ask for this.")
    return None


def is_host(authority: str, hosts: Collection[str]) -> bool:
    """Check whether `name` or `name:port` leads here: a loopback name, or one of `hosts`."""
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        return False
    name = parts[1].lower()
    allowed = {host.lower() for host in hosts}
    return _is_loopback(name) or name in allowed or authority.lower() in allowed


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_origin(origin: str, host: str) -> bool:
    scheme, colon, authority = origin.partition("://")
    return bool(colon) and scheme in {"http", "https"} and authority.lower() == host.lower()


def _values(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key == name]


def shows_token(line: str, token: str) -> bool:
    """Check whether the first frame of a client has the token, in a time that tells nothing."""
    try:
        shown: Any = json.loads(line)["token"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return False
    if not isinstance(shown, str):
        return False
    return hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode())
