"""UUIDs of version 7 (RFC 9562, section 5.7): ids that follow time.

Python has them from 3.14 on; this is method 3 of section 6.2 (the fraction of the millisecond in
the twelve bits of ``rand_a``), made strictly increasing within a process.
"""

from __future__ import annotations

import os
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_last_tick = 0


def uuid7() -> UUID:
    """A new id, larger than every id this process drew before it."""
    return uuids7(1)[0]


def uuids7(count: int) -> list[UUID]:
    """So many new ids, each larger than the one before it and than all drawn earlier."""
    global _last_tick
    # A tick is 1/4096 of a millisecond: 48 bits of Unix milliseconds, then 12 bits of fraction.
    tick = time.time_ns() * 4096 // 1_000_000
    with _lock:
        first = max(tick, _last_tick + 1)
        _last_tick = first + count - 1
    chance = os.urandom(8 * count)
    return [
        UUID(
            int=(tick >> 12) << 80
            | 0x7 << 76
            | (tick & 0xFFF) << 64
            | 0b10 << 62
            | int.from_bytes(chance[8 * place : 8 * place + 8]) >> 2
        )
        for place, tick in enumerate(range(first, first + count))
    ]
