"""What a node says in its handshake that it can do.

Follows: `erl_dist_protocol`, "Distribution Flags"; numbers as in `dist.hrl`.
"""

from __future__ import annotations

from typing import Final

EXTENDED_REFERENCES: Final = 0x4
DIST_MONITOR: Final = 0x8
FUN_TAGS: Final = 0x10
DIST_MONITOR_NAME: Final = 0x20
NEW_FUN_TAGS: Final = 0x80
EXTENDED_PIDS_PORTS: Final = 0x100
EXPORT_PTR_TAG: Final = 0x200
BIT_BINARIES: Final = 0x400
NEW_FLOATS: Final = 0x800
UTF8_ATOMS: Final = 0x10000
MAP_TAG: Final = 0x20000
BIG_CREATION: Final = 0x40000
SEND_SENDER: Final = 0x80000
HANDSHAKE_23: Final = 0x1000000
UNLINK_ID: Final = 0x2000000
MANDATORY_25_DIGEST: Final = 1 << 26  # the documentation says 36; all that is in use says 26
NAME_ME: Final = 1 << 33  # a node that wants to be given a name
V4_NC: Final = 1 << 34
ALIAS: Final = 1 << 35

# What `MANDATORY_25_DIGEST` stands for; nodes of OTP 24 say them one by one.
MANDATORY: Final = (
    EXTENDED_REFERENCES
    | FUN_TAGS
    | NEW_FUN_TAGS
    | EXTENDED_PIDS_PORTS
    | EXPORT_PTR_TAG
    | BIT_BINARIES
    | NEW_FLOATS
    | UTF8_ATOMS
    | MAP_TAG
    | BIG_CREATION
    | HANDSHAKE_23
)
# No PUBLISHED, so the node is hidden; no atom cache, no fragments, no spawn requests.
OURS: Final = (
    MANDATORY
    | MANDATORY_25_DIGEST
    | DIST_MONITOR
    | DIST_MONITOR_NAME
    | SEND_SENDER
    | UNLINK_ID
    | V4_NC
    | ALIAS
)
# What a peer has to have, since it is used without asking: OTP 25 and later have all of it.
NEEDED: Final = UNLINK_ID | V4_NC | ALIAS


def is_enough(flags: int) -> bool:
    """Check whether a node with these flags can be talked to."""
    mandatory = flags & MANDATORY_25_DIGEST or flags & MANDATORY == MANDATORY
    return bool(mandatory) and flags & NEEDED == NEEDED
