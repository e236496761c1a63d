"""UUIDs of version 7 (RFC 9562, section 5.7): ids that follow time.

Python has them from 3.14 on; this is method 3 of section 6.2 (the fraction of the millisecond in
the twelve bits of ``rand_a``), made strictly increasing within a process.
"""

from __future__ import annotations

import os
import threading
import time
from uuid import UUID

_CHANCE = 2**62 - 1
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))  # a digit with its two bits set

_lock = threading.Lock()
_last_tick = 0


def uuid7() -> UUID:
    """A new id, larger than every id this process drew before it."""
    return Ids(1)[0]


class Ids:
    """So many new ids, each larger than the one before it and than all drawn earlier.

    They are drawn together; each is made when it is asked for.

    Args:
        count: How many.
    """

    __slots__ = ("_chance", "_first")

    def __init__(self, count: int) -> None:
        global _last_tick
        # A tick is 1/4096 of a millisecond: 48 bits of Unix milliseconds, 12 bits of fraction.
        tick = time.time_ns() * 4096 // 1_000_000
        with _lock:
            self._first = max(tick, _last_tick + 1)
            _last_tick = self._first + count - 1
        self._chance = os.urandom(8 * count)

    def __getitem__(self, place: int) -> UUID:
        chance = self._chance[8 * place : 8 * place + 8]
        if not chance:
            raise IndexError(place)
        tick = self._first + place
        return UUID(
            int=(tick >> 12) << 80
            | 0x7 << 76
            | (tick & 0xFFF) << 64
            | 0b10 << 62
            | int.from_bytes(chance) & _CHANCE
        )

    def written(self, first: int, last: int) -> list[str]:
        """The ids of the places from ``first`` until ``last``, as text; for many at once."""
        texts = []
        drawn, head = self._chance.hex(), ""
        for place in range(first, last):
            tick, at = self._first + place, 16 * place
            if not head or not tick & 0xFFF:
                head = f"{tick >> 28:08x}-{tick >> 12 & 0xFFFF:04x}-7"
            group = f"{_VARIANT[drawn[at]]}{drawn[at + 1 : at + 4]}"
            texts.append(f"{head}{tick & 0xFFF:03x}-{group}-{drawn[at + 4 : at + 16]}")
        return texts
