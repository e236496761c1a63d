"""New ids: UUIDs of version 7 (RFC 9562, section 5.7), ordered by time, and pseudonyms.

Python has them since 3.14. This is method 3 of section 6.2 (the fraction of the millisecond in the
twelve bits of ``rand_a``), strictly increasing within a process.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from uuid import UUID

_RANDOM_MASK = 2**62 - 1
# A hexadecimal digit with its two upper bits set to those of the variant.
_VARIANT_DIGIT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))

_lock = threading.Lock()
_last_tick = 0


def uuid7() -> UUID:
    """Return a new id, larger than every earlier id of this process."""
    return Uuid7Batch(1)[0]


def draw_pseudonym() -> str:
    """Return a random number in the form of a Discord id, which Discord has never issued.

    A snowflake counts milliseconds since 2015 in its upper 42 bits. Numbers below 2⁴⁸ are of the
    first nineteen hours, before Discord existed. They have 15 digits; ids of Discord have more.
    """
    return str(2**47 + secrets.randbelow(2**47))


class Uuid7Batch:
    """New ids, strictly increasing, also across batches; each UUID is built on access.

    Args:
        count: The number of ids.
    """

    __slots__ = ("_first", "_random_bytes")

    def __init__(self, count: int) -> None:
        global _last_tick
        # A tick is 1/4096 of a millisecond: 48 bits of Unix milliseconds, 12 bits of fraction.
        tick = time.time_ns() * 4096 // 1_000_000
        with _lock:
            self._first = max(tick, _last_tick + 1)
            _last_tick = self._first + count - 1
        self._random_bytes = os.urandom(8 * count)

    def __getitem__(self, index: int) -> UUID:
        random_bytes = self._random_bytes[8 * index : 8 * index + 8]
        if not random_bytes:
            raise IndexError(index)
        tick = self._first + index
        return UUID(
            int=(tick >> 12) << 80
            | 0x7 << 76
            | (tick & 0xFFF) << 64
            | 0b10 << 62
            | int.from_bytes(random_bytes) & _RANDOM_MASK
        )

    def as_strings(self, start: int, stop: int) -> list[str]:
        """Return the ids of the indexes from ``start`` to before ``stop``, as text."""
        texts = []
        digits, prefix = self._random_bytes.hex(), ""
        for index in range(start, stop):
            tick, at = self._first + index, 16 * index
            if not prefix or not tick & 0xFFF:
                prefix = f"{tick >> 28:08x}-{tick >> 12 & 0xFFFF:04x}-7"
            group = f"{_VARIANT_DIGIT[digits[at]]}{digits[at + 1 : at + 4]}"
            texts.append(f"{prefix}{tick & 0xFFF:03x}-{group}-{digits[at + 4 : at + 16]}")
        return texts
