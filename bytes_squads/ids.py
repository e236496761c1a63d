"""UUIDs of version 7 (RFC 9562, section 5.7): ids that follow time.

Python has them from 3.14 on; this is method 3 of section 6.2 (the fraction of the millisecond in
the twelve bits of ``rand_a``), made strictly increasing within a process.
"""

from __future__ import annotations

import secrets
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_last_tick = 0


def uuid7() -> UUID:
    """A new id, larger than every id this process drew before it."""
    global _last_tick
    # A tick is 1/4096 of a millisecond: 48 bits of Unix milliseconds, then 12 bits of fraction.
    tick = time.time_ns() * 4096 // 1_000_000
    with _lock:
        _last_tick = tick = max(tick, _last_tick + 1)
    milliseconds, fraction = tick >> 12, tick & 0xFFF
    return UUID(
        int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62)
    )
