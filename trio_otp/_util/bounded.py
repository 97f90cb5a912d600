"""Render any value in a few characters, whatever its repr would do.

Logs, error texts and observers show values of users. Their repr may raise, and that of a table
with 100,000 entries takes a second and fills 30 MB, so containers, dataclasses and exceptions are
walked piece by piece, and the walk ends as soon as there is enough text. What it holds may come
from outside: control characters, line breaks and invisible ones are shown escaped, so that no value
can begin a line, move a cursor or turn text round.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DEPTH: Final = 8  # levels of nesting that are shown
HIDDEN: Final = "_otp_shown"  # an attribute of an exception: what is shown in its place
_NONE: Final = object()
_BRACKETS: Final[dict[type[Any], tuple[str, str]]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    deque: ("deque([", "])"),
    dict: ("{", "}"),
}


class Note:
    """A text in place of a value; it is shown without quotes."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def bounded(value: object, limit: int = 200) -> str:
    """Render any value in at most `limit` printable characters, whatever its repr does.

    Args:
        value: anything.
        limit: characters.

    Classes are shown by their name alone, since as names of processes they are read often.

    >>> bounded([1] * 1000, 20), bounded({int: 1})
    ('[1, 1, 1, 1, 1, 1...', '{int: 1}')
    """
    pieces: list[str] = []
    size = 0
    try:
        for piece in _pieces(value, limit, DEPTH):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                break
    except Exception as exc:  # for instance a dict that another thread changes
        pieces.append(_broken(value, exc))
    return shown_text("".join(pieces), limit)


def shown_text(text: str, limit: int = 200) -> str:
    r"""Return a text from outside as at most `limit` printable characters, without quotes.

    Args:
        text: anything.
        limit: characters.

    >>> shown_text("bob\x1b[2J\nroot: forged")
    'bob\\x1b[2J\\nroot: forged'
    """
    text = visible(text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 3] + "..."


def visible(text: str) -> str:
    r"""Escape what is no printable character: controls, line breaks, invisible ones, surrogates.

    Args:
        text: anything.

    >>> visible("a\tb\u202ec\u2028")
    'a\\tb\\u202ec\\u2028'
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def visible_lines(text: str) -> str:
    """As `visible`, for a text whose line breaks are our own."""
    return "\n".join(map(visible, text.split("\n")))


def hidden_text(exc: BaseException) -> str | None:
    """Return what is shown in the place of an exception's text, if that is kept out of the log."""
    told = vars(exc).get(HIDDEN, _NONE)
    return None if told is _NONE else bounded(told)


def label_of(target: Any) -> str:
    """Return the short name of a class or function, or of what a partial is of."""
    while isinstance(target, functools.partial):
        target = target.func
    return shown_text(str(getattr(target, "__name__", type(target).__name__)))


def article(name: str) -> str:
    """Return the article that goes before a name.

    Args:
        name: a word.

    >>> article("Agent"), article("Task")
    ('an', 'a')
    """
    return "an" if name[:1].upper() in "AEIO" else "a"


def _pieces(value: Any, limit: int, depth: int) -> Iterator[str]:
    """Return the text of a value in pieces."""
    kind: type[Any] = value.__class__
    if isinstance(value, str | bytes | bytearray):
        yield safe_repr(value[: limit + 1])
    elif depth == 0:
        yield "..."
    elif isinstance(value, BaseException) and HIDDEN in vars(value):
        yield from _pieces(vars(value)[HIDDEN], limit, depth - 1)
    elif isinstance(value, type) and _repr_of(kind) is _repr_of(type):
        yield value.__qualname__
    elif isinstance(value, BaseException) and _repr_of(kind) is _repr_of(BaseException):
        yield from _joined(f"{kind.__name__}(", _items(value.args, limit, depth), ")")
    elif (names := _field_names(value, kind)) is not None:
        yield from _joined(f"{kind.__name__}(", _attributes(value, names, limit, depth), ")")
    elif (base := _container(kind)) is not None:
        yield from _contents(value, kind, base, limit, depth)
    else:
        yield safe_repr(value)


def safe_repr(value: object) -> str:
    """Return the repr of a value; if that raises, a text that says so."""
    try:
        return repr(value)
    except Exception as exc:
        return _broken(value, exc)


def _repr_of(kind: type[Any]) -> object:
    return kind.__repr__


def _broken(value: object, exc: Exception) -> str:
    return f"<{type(value).__name__}: repr raised {type(exc).__name__}>"


def _field_names(value: Any, kind: type[Any]) -> list[str] | None:
    """Return what the repr of a dataclass or named tuple shows, unless it has one of its own."""
    written = kind.__repr__
    if dataclasses.is_dataclass(value):
        made = getattr(getattr(written, "__wrapped__", None), "__code__", None)
        generated = hasattr(written, "shows_fields") or (
            made is not None and made.co_filename == "<string>"
        )
        return [f.name for f in dataclasses.fields(value) if f.repr] if generated else None
    if isinstance(value, tuple) and getattr(written, "__module__", "") == "collections":
        return list(kind._fields)
    return None


def _container(kind: type[Any]) -> type[Any] | None:
    """Return the builtin that a class shows its contents as, as all of `collections` do."""
    for base in _BRACKETS:
        if issubclass(kind, base):
            plain = _repr_of(kind) is _repr_of(base) or kind.__module__ == "collections"
            return base if plain else None
    return None


def _contents(
    value: Any, kind: type[Any], base: type[Any], limit: int, depth: int
) -> Iterator[str]:
    start, end = _BRACKETS[base]
    if not value and base in (set, frozenset):
        start, end = f"{base.__name__}(", ")"
    if base is tuple and len(value) == 1:
        end = ",)"
    if kind is not base:
        start, end = f"{kind.__name__}({start}", f"{end})"
    items = _pairs(value, limit, depth) if base is dict else _items(value, limit, depth)
    yield from _joined(start, items, end)


def _items(values: Iterable[Any], limit: int, depth: int) -> Iterator[Iterator[str]]:
    for value in values:
        yield _pieces(value, limit, depth - 1)


def _pairs(value: dict[Any, Any], limit: int, depth: int) -> Iterator[Iterator[str]]:
    for key, held in value.items():
        yield chain(_pieces(key, limit, depth - 1), [": "], _pieces(held, limit, depth - 1))


def _attributes(value: object, names: list[str], limit: int, depth: int) -> Iterator[Iterator[str]]:
    for name in names:
        held = getattr(value, name, None)
        yield chain([f"{name}="], _pieces(held, limit, depth - 1))


def _joined(start: str, items: Iterator[Iterator[str]], end: str) -> Iterator[str]:
    yield start
    for number, item in enumerate(items):
        if number:
            yield ", "
        yield from item
    yield end
