"""The mark of what has no value yet, where None may be one: an exit reason, a message, a reply."""

from __future__ import annotations

from typing import Final

from .copies import Mark

UNSET: Final = Mark.UNSET
