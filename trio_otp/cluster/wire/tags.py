"""The bytes that terms begin with, in the External Term Format.

Follows: `erl_ext_dist`, sections 4 to 35.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = 131
COMPRESSED: Final = 80

SMALL_ATOM_UTF8: Final = 119
ATOM_UTF8: Final = 118
SMALL_ATOM: Final = 115  # Latin-1, as the next one; from nodes before OTP 26
ATOM: Final = 100

SMALL_INTEGER: Final = 97
INTEGER: Final = 98
SMALL_BIG: Final = 110
LARGE_BIG: Final = 111
NEW_FLOAT: Final = 70
FLOAT: Final = 99  # as text

SMALL_TUPLE: Final = 104
LARGE_TUPLE: Final = 105
NIL: Final = 106
STRING: Final = 107  # a list of integers below 256
LIST: Final = 108
MAP: Final = 116

BINARY: Final = 109
BIT_BINARY: Final = 77

NEW_PID: Final = 88
PID: Final = 103  # with a creation of one byte, as PORT and NEW_REFERENCE
NEWER_REFERENCE: Final = 90
NEW_REFERENCE: Final = 114
V4_PORT: Final = 120
NEW_PORT: Final = 89
PORT: Final = 102
NEW_FUN: Final = 112
EXPORT: Final = 113
