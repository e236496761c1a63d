"""The workloads: which operation is called, with which members, by how many clients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import bytes_squads
from bytes_squads import (
    BytesTransactionCreate,
    InsufficientBalanceError,
    SquadCreate,
    TransferCooldownError,
    TransferLimitError,
)

from .rounds import ExhaustedError

GUILD, COOLDOWN_GUILD, POOR_GUILD = (f"10000000000000000{number}" for number in (1, 2, 3))
NAME = "member"
MAX_TRANSFER = 500_000
"""The limit of each guild. Members have more, but not in the poor guild."""
REGULARS = 100
"""Members with a history of more than a page. In the poor guild, those in a cooldown."""
BATCH = 10_000
"""Members paid by one `grant_many`."""

Order = dict[str, Any]
"""The fields of a `BytesTransactionCreate`."""


class RefusedError(Exception):
    """A baseline refused a call."""


def member(number: int) -> str:
    """Return a member's id; numbers begin at 1, and 0 is the one that `transfer-hot` pays."""
    return str(2 * 10**17 + number)


def transfer(giver: int, receiver: int, **fields: Any) -> Order:
    """Return an order to transfer one byte in `GUILD`, unless the fields say otherwise."""
    parties = {"giver_id": member(giver), "receiver_id": member(receiver)}
    names = {"giver_username": NAME, "receiver_username": NAME}
    return {"guild_id": GUILD, "amount": 1, **parties, **names, **fields}


class Clock:
    """Wall time plus an offset, which lets members act again under rules about time."""

    offset = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset


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

    async def replace_squads(self, old: Sequence[UUID]) -> list[UUID]:
        """Delete squads with their memberships; return the ids of twenty empty ones."""
        for squad_id in old:
            await self.squads.delete_squad(GUILD, squad_id)
        settings: Any = {"guild_id": GUILD, "name": "Squad", "switch_cost": 1, "max_members": BATCH}
        orders = [SquadCreate(role_id=str(10**17 + number), **settings) for number in range(20)]
        return [(await self.squads.create_squad(order)).id for order in orders]


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

    def transfer_to_one(self) -> Order:
        return transfer(self.number(), 0)

    def transfer_with_key(self) -> Order:
        return self.transfer(idempotency_key=str(uuid4()))

    def transfer_once(self) -> Order:
        return self.transfer(self.next_unused(), guild_id=COOLDOWN_GUILD)

    def exceed_balance(self) -> Order:
        giver = REGULARS + self.number(self.members - REGULARS)
        return self.transfer(giver, amount=MAX_TRANSFER, guild_id=POOR_GUILD)

    def exceed_limit(self) -> Order:
        return self.transfer(amount=MAX_TRANSFER + 1)

    def transfer_too_soon(self) -> Order:
        return self.transfer(self.number(REGULARS), guild_id=POOR_GUILD)


@dataclass(frozen=True)
class Workload:
    """One operation, as it is called in a benchmark."""

    title: str
    call: Callable[[Any, Draw], Awaitable[object]]  # of an implementation
    clients: int = 1
    hours: int = 0  # that the clock moves before each run, so that members may act again
    each: int = 1  # what one call counts for
    squads: bool = False  # whether it needs empty squads
    reads: bool = False  # whether it changes nothing
    error: type[Exception] | None = None  # that every call raises

    async def execute(self, operations: Any, draw: Draw) -> None:
        """Call once, and check that the call is refused if it must be."""
        refusals = (self.error, RefusedError) if self.error else ()
        try:
            await self.call(operations, draw)
        except refusals:
            return
        if refusals:
            raise AssertionError(f"a call went through that must raise {self.error}")


def _transfer(draw_order: Callable[[Draw], Order]) -> Callable[[Any, Draw], Awaitable[object]]:
    return lambda on, draw: on.transfer(draw_order(draw))


def _join(on: Any, draw: Draw) -> Any:
    return on.join(member(draw.next_unused()), draw.random.choice(draw.squads))


def _history(on: Any, draw: Draw) -> Any:
    return on.bytes.get_transaction_history(GUILD, member(draw.number(REGULARS)))


def _grant_many(on: Any, draw: Draw) -> Any:
    numbers = draw.random.sample(range(1, draw.members + 1), BATCH)
    return on.bytes.grant_many(GUILD, {member(number): 1 for number in numbers})


def _rank(on: Any, draw: Draw) -> Any:
    return on.bytes.get_rank(GUILD, member(draw.number()))


_ANY = _transfer(Draw.transfer)
_OVERDRAWN, _TOO_MUCH = _transfer(Draw.exceed_balance), _transfer(Draw.exceed_limit)
_TOO_SOON = _transfer(Draw.transfer_too_soon)

WORKLOADS = {
    "transfer-1": Workload("transfers", _ANY),
    "transfer": Workload("transfers", _ANY, 8),
    "transfer-hot": Workload("transfers to one member", _transfer(Draw.transfer_to_one), 8),
    "transfer-key": Workload("transfers with a key", _transfer(Draw.transfer_with_key), 8),
    "transfer-cooldown": Workload("transfers with a cooldown", _transfer(Draw.transfer_once), 8, 2),
    "refused-balance": Workload("balance refused", _OVERDRAWN, 8, error=InsufficientBalanceError),
    "refused-limit": Workload("limit refused", _TOO_MUCH, 8, error=TransferLimitError),
    "refused-cooldown": Workload("cooldown refused", _TOO_SOON, 8, error=TransferCooldownError),
    "claim": Workload("claims", lambda on, draw: on.claim(member(draw.next_unused())), hours=24),
    "join": Workload("joins of a squad", _join, squads=True),
    "grant-many": Workload("mass grants", _grant_many, each=BATCH),
    "top": Workload("top 10", lambda on, _: on.bytes.get_leaderboard(GUILD), reads=True),
    "history": Workload("history, page of 20", _history, reads=True),
    "rank": Workload("rank of any member", _rank, reads=True),
}
