"""The workloads: an operation, its members and the number of clients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID, uuid4

import bytes_squads
from bytes_squads import (
    BytesTransactionCreate,
    InsufficientBalanceError,
    TransferCooldownError,
    TransferLimitError,
)

GUILD, COOLDOWN_GUILD, WAITING_GUILD = (f"10000000000000000{number}" for number in (1, 2, 3))
NAME = "member"
MAX_TRANSFER = 5_000_000
"""The limit of each guild. Members have less."""
REGULARS = 100
"""Members with a history of more than a page. In the waiting guild they are in a cooldown."""
SMALL_GUILDS = [str(2 * 10**17 + number) for number in range(50)]
"""Guilds of `REGULARS` members each."""
BATCH = 10_000
"""Members paid by one `grant_many`."""

Clock = Callable[[], datetime]
Order = dict[str, Any]
"""The fields of a `BytesTransactionCreate`."""


class ExhaustedError(Exception):
    """No work is left: the run ends early and is timed up to here."""


def member(number: int) -> str:
    """Return a member's id; numbers begin at 1, and 0 is the one that `transfer-hot` pays."""
    return str(2 * 10**17 + number)


def transfer(giver: int, receiver: int, **fields: Any) -> Order:
    """Return an order to transfer one byte in `GUILD`, unless the fields say otherwise."""
    parties = {"giver_id": member(giver), "receiver_id": member(receiver)}
    names = {"giver_username": NAME, "receiver_username": NAME}
    return {"guild_id": GUILD, "amount": 1, **parties, **names, **fields}


class PackageOperations:
    """The package. Inputs are built, and validated by pydantic, within the time."""

    def __init__(self, clock: Clock) -> None:
        self.bytes = bytes_squads.BytesOperations(clock=clock)
        self.squads = bytes_squads.SquadOperations(clock=clock)

    async def transfer(self, order: Order) -> None:
        await self.bytes.create_transaction(BytesTransactionCreate(**order))

    async def claim(self, user_id: str) -> None:
        await self.bytes.claim_daily(GUILD, user_id, NAME)

    async def join(self, user_id: str, squad_id: UUID) -> None:
        await self.squads.join_squad(GUILD, user_id, squad_id, username=NAME)


@dataclass
class Draw:
    """One client's random choices among the members; the clients of a run share `unused`."""

    random: Random
    members: int
    unused: Iterator[int]
    squads: list[UUID]

    def number(self, count: int = 0) -> int:
        """Return a number from 1 to the count, or to the number of members."""
        return 1 + int(self.random.random() * (count or self.members))

    def transfer(self, giver: int = 0, **fields: Any) -> Order:
        """Return a transfer from a giver, by default any, to any other member."""
        giver = giver or self.number()
        receiver = 1 + (giver - 1 + self.number(self.members - 1)) % self.members
        return transfer(giver, receiver, **fields)

    def next_unused(self) -> int:
        """Return the number of a member who has not acted in this run."""
        if (number := next(self.unused, None)) is None:
            raise ExhaustedError
        return number


@dataclass(frozen=True)
class Workload:
    """One operation, as it is called in a benchmark."""

    title: str
    call: Callable[[Any, Draw], Awaitable[object]]  # of an implementation
    clients: int = 1
    errors: tuple[type[Exception], ...] = ()  # of which every call raises one

    async def execute(self, operations: Any, draw: Draw) -> None:
        """Call once, and check that the call is refused if it must be."""
        try:
            await self.call(operations, draw)
        except self.errors:
            return
        if self.errors:
            raise AssertionError(f"a call went through that must raise {self.errors}")


def _transfer(draw_order: Callable[[Draw], Order]) -> Callable[[Any, Draw], Awaitable[object]]:
    return lambda on, draw: on.transfer(draw_order(draw))


def _join(on: Any, draw: Draw) -> Any:
    return on.join(member(draw.next_unused()), draw.random.choice(draw.squads))


def _grant_many(on: Any, draw: Draw) -> Any:
    numbers = draw.random.sample(range(1, draw.members + 1), BATCH)
    return on.bytes.grant_many(GUILD, {member(number): 1 for number in numbers})


def _history(on: Any, draw: Draw) -> Any:
    return on.bytes.get_transaction_history(GUILD, member(draw.number(REGULARS)))


def _rank(on: Any, draw: Draw) -> Any:
    return on.bytes.get_rank(GUILD, member(draw.number()))


_ANY = _transfer(Draw.transfer)
_TO_ONE = _transfer(lambda draw: transfer(draw.number(), 0))
_IN_GUILDS = _transfer(
    lambda on: transfer(on.number(50), 50 + on.number(50), guild_id=on.random.choice(SMALL_GUILDS))
)
_WITH_KEY = _transfer(lambda draw: draw.transfer(idempotency_key=str(uuid4())))
_ONCE = _transfer(lambda draw: draw.transfer(draw.next_unused(), guild_id=COOLDOWN_GUILD))
_OVERDRAWN = _transfer(lambda draw: draw.transfer(amount=MAX_TRANSFER))
_TOO_MUCH = _transfer(lambda draw: draw.transfer(amount=MAX_TRANSFER + 1))
_TOO_SOON = _transfer(lambda draw: draw.transfer(draw.number(REGULARS), guild_id=WAITING_GUILD))

WORKLOADS = {
    "transfer-1": Workload("transfers", _ANY),
    "transfer": Workload("transfers", _ANY, 8),
    "transfer-hot": Workload("transfers to one member", _TO_ONE, 8),
    "transfer-key": Workload("transfers with a key", _WITH_KEY, 8),
    "transfer-cooldown": Workload("transfers with a cooldown", _ONCE, 8),
    "transfer-guilds": Workload("transfers in 50 guilds", _IN_GUILDS, 8),
    "refused-balance": Workload("balance refused", _OVERDRAWN, 8, (InsufficientBalanceError,)),
    "refused-limit": Workload("limit refused", _TOO_MUCH, 8, (TransferLimitError,)),
    "refused-cooldown": Workload("cooldown refused", _TOO_SOON, 8, (TransferCooldownError,)),
    "claim": Workload("claims", lambda on, draw: on.claim(member(draw.next_unused()))),
    "join": Workload("joins of a squad", _join),
    "grant-many": Workload("mass grants", _grant_many),
    "top": Workload("top 10", lambda on, _: on.bytes.get_leaderboard(GUILD)),
    "history": Workload("history, page of 20", _history),
    "rank": Workload("rank of any member", _rank),
}
