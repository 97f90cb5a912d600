"""Names in single backticks, in annotations and under `Raises`: what they lead to.

In docstrings and pages `otp` is the library: `otp.call` has to exist, or the build fails. Another
word may be a name or not: `timeout`, `Stop(reason)`; what is none is shown as code.
"""

from __future__ import annotations

import collections.abc
import re
import typing
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

import trio
from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

import trio_otp as otp

from .inventories import ADDRESSES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from docutils.parsers.rst.states import Inliner
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

NAME = re.compile(r"[A-Za-z_][\w.]*")
ANNOTATION = re.compile(r"[\w.]+(\[.*)?")  # the last part: pieces of what cannot be evaluated
OTP = re.compile(r"otp\.([A-Za-z_][\w.]*)")


def setup(app: Sphinx) -> None:
    """Have names resolved in these ways."""
    app.add_role("name", name_role)
    app.add_transform(LinkedCode)
    app.connect("missing-reference", find, priority=400)  # before those of other projects
    app.connect("autodoc-process-bases", public_bases)
    app.connect("warn-missing-reference", may_be_missing)


def reference(text: str, target: str, *, sure: bool) -> addnodes.pending_xref:
    """Return a link to what a name stands for; if it is not `sure` to be one, it may be missing."""
    shown = nodes.literal(text, text, classes=["xref", "py", "py-obj"])
    return addnodes.pending_xref(
        text, shown, refdomain="py", reftype="obj", reftarget=target, refexplicit=True,
        unsure=not sure,
    )  # fmt: skip


def name_role(
    _role: str, raw: str, text: str, _line: int, inliner: Inliner, *_more: Any
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Return what single backticks in a docstring show."""
    if NAME.fullmatch(text) is None:
        return [nodes.literal(raw, text)], []
    found = reference(text, text, sure=text.startswith("otp."))
    environment = inliner.document.settings.env
    found["py:module"] = environment.ref_context.get("py:module")
    found["py:class"] = environment.ref_context.get("py:class")
    return [found], []


class LinkedCode(SphinxTransform):
    """Make links of code in pages that begins with a name of the library: `otp.call(ref)`."""

    default_priority = 400

    def apply(self, **_kwargs: Any) -> None:
        """Put links in the place of such code."""
        # What the changelog names may be gone since.
        sure = self.env.docname != "project/changelog"
        for code in list(self.document.findall(nodes.literal)):
            found = OTP.match(code.astext())
            inside = isinstance(code.parent, nodes.reference | addnodes.pending_xref | nodes.title)
            if found is not None and not inside:
                code.replace_self(reference(code.astext(), found[0].rstrip("."), sure=sure))


def _namespaces() -> Iterator[ModuleType]:
    """Yield the library, then the modules of it that users name."""
    yield otp
    for found in iter_modules(otp.__path__, "trio_otp."):
        if "._" not in found.name and hasattr(module := import_module(found.name), "__all__"):
            yield module


def _short_names() -> dict[str, str]:
    """Return the full name of each public name, by its last part; `otp` itself comes first."""
    found: dict[str, str] = {}
    for module in _namespaces():
        for name in module.__all__:
            value = getattr(module, name)
            full = f"{getattr(value, '__module__', '')}.{name}"
            own = full.startswith("trio_otp.") and "._" not in full
            found.setdefault(name, full if own else f"{module.__name__}.{name}")
    return found


PUBLIC = _short_names()
# What annotations name without a module.
FOREIGN = {
    **{name: f"typing.{name}" for name in typing.__all__},
    **{name: f"collections.abc.{name}" for name in collections.abc.__all__},
    **{f"trio.{name}": f"trio.{name}" for name in dir(trio)},
}


def find(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """Resolve what is named in short; change what other projects may know."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    for full in _candidates(re.sub(r"^(otp|trio_otp)\.", "", target)):
        for name, found in env.domains["py"].find_obj(env, None, None, full, None, 0):
            return _link(app, node, found, name, content)
    node["reftarget"] = FOREIGN.get(target, target)
    return None


def _candidates(short: str) -> Iterator[str]:
    """Yield what a name may be called in full; of an attribute that has no page, its class."""
    yield PUBLIC.get(short, f"trio_otp.{short}")
    yield f"trio_otp.{short}"
    owner, _, name = short.rpartition(".")
    if owner in PUBLIC and hasattr(getattr(otp, owner, None), name):
        yield PUBLIC[owner]


def _link(
    app: Sphinx, node: addnodes.pending_xref, found: Any, name: str, content: nodes.Element
) -> nodes.Element:
    address = app.builder.get_relative_uri(node["refdoc"], found.docname)
    link = nodes.reference("", "", content, internal=True, reftitle=name)
    link["refuri"] = f"{address}#{found.node_id}"
    return link


def may_be_missing(app: Sphinx, _domain: Any, node: addnodes.pending_xref) -> bool | None:
    """Check whether nobody expects that there is a page about a name.

    There need be none about what annotations name: type variables and aliases of the library. Of
    the errors under `Raises`, and of what begins with `otp`, there has to be one.
    """
    target = node["reftarget"]
    if target.startswith("otp."):
        return node.get("unsure") or None
    if node["reftype"] == "exc":
        project = target.partition(".")[0]
        unknown = project in ADDRESSES and project not in app.config.intersphinx_mapping
        return unknown or None
    return ANNOTATION.fullmatch(target) is not None or None


def public_bases(_app: Sphinx, _name: str, cls: type[Any], _options: Any, bases: list[Any]) -> None:
    """Show the bases that users know."""
    bases[:] = dict.fromkeys(known_bases(cls))


def known_bases(cls: type[Any]) -> Iterator[type[Any]]:
    """Yield the bases of a class that users know; of one that they do not know, its own."""
    for base in cls.__bases__:
        if base.__module__.startswith("trio_otp._") or base.__name__.startswith("_"):
            yield from known_bases(base)
        elif base is not object and base is not typing.Generic:
            yield base
