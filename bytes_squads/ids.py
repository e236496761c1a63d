"""UUIDs of version 7 (RFC 9562, section 5.7): ids that follow time.

Python has them from 3.14 on; this is method 3 of section 6.2 (the fraction of the millisecond in
the twelve bits of ``rand_a``), made strictly increasing within a process.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from uuid import UUID

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
            | int.from_bytes(chance) >> 2
        )

    def written(self, first: int, last: int) -> list[str]:
        """The ids of the places from ``first`` until ``last``, as text; for many at once."""
        chances = struct.unpack_from(f">{last - first}Q", self._chance, 8 * first)
        texts = []
        for tick, chance in enumerate(chances, self._first + first):
            digits = f"{tick >> 12:012x}7{tick & 0xFFF:03x}{1 << 63 | chance >> 2:016x}"
            texts.append(
                f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
            )
        return texts
