"""Ids for guilds, members and the peers' ledger rows."""

from __future__ import annotations

import random
import time
from uuid import UUID

GUILD = "100000000000000001"
COOL_GUILD = "100000000000000002"
"""The guild with a cooldown."""

FIRST_MEMBER = 200_000_000_000_000_000
"""The id of member 0. Members count from 1; all ids have the same number of digits."""

NAME = "member"
"""Everybody's username."""


def member(number: int) -> str:
    """The id of a member.

    Args:
        number: 1 … the number of members.
    """
    return str(FIRST_MEMBER + number)


def members(count: int) -> list[str]:
    """The ids of the members 1 … `count`."""
    return [member(number) for number in range(1, count + 1)]


def uuid7() -> UUID:
    """An id that follows time, as cheap as Python makes it.

    The peers' rows have such ids too: random ones would spread over the whole index.
    """
    milliseconds = time.time_ns() // 1_000_000
    chance = random.getrandbits(74)
    return UUID(
        int=milliseconds << 80 | 7 << 76 | (chance >> 62) << 64 | 2 << 62 | chance & (1 << 62) - 1
    )
