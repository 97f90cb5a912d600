"""Render any value in a few characters, whatever its repr would do.

Logs, error texts and observers show values of users. Their repr may raise, and that of a table
with 100,000 entries takes a second and fills 30 MB, so containers, dataclasses, classes of attrs
and exceptions are walked by a `reprlib.Repr`, and the walk ends as soon as there is enough text.
What it holds may come from outside: control characters, line breaks and invisible ones are shown
escaped, so that no value can begin a line, move a cursor or turn text round.
"""

from __future__ import annotations

import dataclasses
import functools
import reprlib
from collections import deque
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

DEPTH: Final = 8  # levels of nesting that are shown
PRIVATE: Final = "_otp_private"  # an attribute of a class: names of what is kept out
HIDDEN: Final = "_otp_shown"  # an attribute of an exception: what is shown in its place
_NONE: Final = object()
_EMPTY: Final[dict[object, object]] = {}
_BRACKETS: Final[dict[type[Any], tuple[str, str]]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    deque: ("deque([", "])"),
    dict: ("{", "}"),
    MappingProxyType: ("mappingproxy({", "})"),
    type(_EMPTY.keys()): ("dict_keys([", "])"),
    type(_EMPTY.values()): ("dict_values([", "])"),
    type(_EMPTY.items()): ("dict_items([", "])"),
}


class Note:
    """A text in place of a value; it is shown without quotes."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


WITHHELD: Final = Note("<private>")


class Printable:
    """The base of dataclasses with values of users: the repr may be printed, whatever they are."""

    __slots__ = ()

    @reprlib.recursive_repr("...")
    def __repr__(self) -> str:
        names = _shown_fields(type(self)) or ()
        shown = ", ".join(f"{name}={safe_repr(getattr(self, name))}" for name in names)
        return visible(f"{type(self).__qualname__}({shown})")


def bounded(value: object, limit: int = 200) -> str:
    """Render any value in at most `limit` printable characters, whatever its repr does.

    Args:
        value: anything.
        limit: characters.

    Classes are shown by their name alone, since as names of processes they are read often.

    >>> bounded([1] * 1000, 20), bounded({int: 1})
    ('[1, 1, 1, 1, 1, 1...', '{int: 1}')
    """
    return shown_text(_Walk(limit).repr(value), limit)


def shown_text(text: str, limit: int = 200) -> str:
    r"""Return a text from outside as at most `limit` printable characters, without quotes.

    Args:
        text: anything.
        limit: characters.

    >>> shown_text("bob\x1b[2J\nroot: forged")
    'bob\\x1b[2J\\nroot: forged'
    """
    text = visible(str.__str__(text)[: limit + 1])  # no class of a user, which may lie
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


def label_of(target: object) -> str:
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


class _Walk(reprlib.Repr):
    """The repr of a value, for as long as there is room."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.maxlevel = DEPTH
        self.limit = limit
        self.room = limit  # characters; below zero the text is too long, and cut in the end

    def repr1(self, x: object, level: int) -> str:
        """Render a value, and leave the less room for what follows."""
        room = self.room
        if room < 0:
            return ""
        try:
            text = str.__str__(self._text(x, type(x), level))
        except Exception as exc:  # also of a set that another thread changes
            text = _broken(x, exc)
        self.room = room - len(text) - len(", ")
        return text

    def _text(self, x: Any, kind: type[Any], level: int) -> str:
        written: object = kind.__repr__
        if issubclass(kind, str | bytes | bytearray):
            return repr(x[: self.limit + 1])
        if level == 0:
            return self.fillvalue
        hidden: dict[str, Any] = x.__dict__ if issubclass(kind, BaseException) else {}
        if HIDDEN in hidden:
            return self.repr1(hidden[HIDDEN], level - 1)
        if written is type.__repr__:
            return str(x.__qualname__)
        if written is BaseException.__repr__:
            return self._items(f"{kind.__name__}(", x.args, ")", level)
        if (names := _shown_fields(kind)) is not None:
            return self._fields(x, names, level)
        base = next((base for base in _BRACKETS if issubclass(kind, base)), None)
        if base is None or (written is not base.__repr__ and kind.__module__ != "collections"):
            return repr(x)
        return self._contents(x, kind, base, level)

    def _fields(self, x: object, names: Iterable[str], level: int) -> str:
        private = _private_fields(type(x))
        values = [(name, WITHHELD if name in private else getattr(x, name, None)) for name in names]
        shown = [f"{name}={self.repr1(value, level - 1)}" for name, value in values]
        return f"{type(x).__name__}({', '.join(shown)})"

    def _contents(self, x: Any, kind: type[Any], base: type[Any], level: int) -> str:
        start, end = _BRACKETS[base]
        if not x and base in (set, frozenset):
            start, end = f"{base.__name__}(", ")"
        if base is tuple and len(x) == 1:
            end = ",)"
        if kind is not base:
            start, end = f"{kind.__name__}({start}", f"{end})"
        has_pairs = base in (dict, MappingProxyType)
        return (self._pairs if has_pairs else self._items)(start, x, end, level)

    def _items(self, start: str, items: Iterable[Any], end: str, level: int) -> str:
        shown = [self.repr1(item, level - 1) for item in islice(items, self.limit)]
        return f"{start}{', '.join(shown)}{end}"

    def _pairs(self, start: str, held: dict[Any, Any], end: str, level: int) -> str:
        pairs = list(islice(held.items(), self.limit))  # a repr may change the dict
        shown = [f"{self.repr1(k, level - 1)}: {self.repr1(v, level - 1)}" for k, v in pairs]
        return f"{start}{', '.join(shown)}{end}"


def safe_repr(value: object) -> str:
    """Return the repr of a value; if that raises, a text that says so."""
    return _safe(repr, value)


def safe_str(value: object) -> str:
    """Return the text of a value; if that raises, a text that says so."""
    return _safe(str, value)


def _safe(show: Callable[[object], str], value: object) -> str:
    try:
        return str.__str__(show(value))
    except Exception as exc:
        return _broken(value, exc)


def _broken(value: object, exc: Exception) -> str:
    return f"<{_name_of(type(value))}: repr raised {_name_of(type(exc))}>"


def _name_of(kind: type[Any]) -> str:
    """Return the name of a class, also if its own class has another idea of names."""
    name: str = vars(type)["__name__"].__get__(kind)
    return name


def _private_fields(kind: type[Any]) -> Collection[str]:
    """Return the names that a class keeps private; one of a user, as that of a message, may too."""
    known: Collection[str] | None = getattr(kind, PRIVATE, None)
    if known is not None:
        return known
    lists: list[Any] = [vars(base).get("private") for base in kind.__mro__]
    return [name for given in lists if given.__class__ is tuple for name in given]


def _shown_fields(kind: Any) -> list[str] | None:
    """Return the fields that a repr shows which a library has written, and not a user."""
    written: Any = kind.__repr__
    if hasattr(kind, "_fields") and getattr(written, "__module__", "") == "collections":
        return list(kind._fields)
    wrapped = getattr(written, "__wrapped__", None)
    code = getattr(wrapped or written, "__code__", None)
    file = "" if code is None else code.co_filename
    if hasattr(kind, "__attrs_attrs__") and file.startswith("<attrs generated"):
        own = any(callable(field.repr) for field in kind.__attrs_attrs__)  # may hide something
        return None if own else [field.name for field in kind.__attrs_attrs__ if field.repr]
    generated = written is Printable.__repr__ or (wrapped and file == "<string>")
    if generated and hasattr(kind, "__dataclass_fields__"):
        return [field.name for field in dataclasses.fields(kind) if field.repr]
    return None
