"""A table of all operations, for the tests of the laws.

A new operation is added here, and meets every law. ``tests/laws/test_operations_table.py`` fails
while a public method of the operations' classes is not in the table.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from bytes_squads import (
    AlreadyInSquadError,
    AlreadyReversedError,
    BalanceOverflowError,
    BytesConfigUpdate,
    BytesOperations,
    BytesTransaction,
    BytesTransactionCreate,
    DailyAlreadyClaimedError,
    GuildOperations,
    IdempotencyConflictError,
    InsufficientBalanceError,
    InvalidSnowflakeError,
    InvalidTextError,
    NotInSquadError,
    Squad,
    SquadCreate,
    SquadNotFoundError,
    SquadOperations,
    SquadRoleTakenError,
    SquadUpdate,
    TransactionNotFoundError,
)
from bytes_squads.domain import rules

from .assertions import MAX_BYTES
from .sample_data import ALICE, BOB, GUILD, Rows, make_transfer

Member = int | str
KINDS = (BytesOperations, SquadOperations, GuildOperations)
"""The classes whose methods are the operations."""
KNOWN = range(1_000, 1_032)
"""Members who have `BALANCE` bytes; so have Alice and Bob."""
NEW = range(11_000, 11_100)
"""Members whom the guild does not know."""
BALANCE = 10_000


@dataclass
class World:
    """A guild to act on.

    Attributes:
        bytes: Operations on bytes.
        squads: Operations on squads.
        guilds: Operations on the guild.
        paid: A squad that costs 5.
        other: Another squad that costs 5.
        free: A squad that costs nothing.
        costly: A squad that costs more than anybody has.
        made: Squads that were made for a member, by the member.
        rows: Ledger rows that were posted for a member, by the member.
    """

    bytes: BytesOperations
    squads: SquadOperations
    guilds: GuildOperations
    paid: Squad = field(init=False)
    other: Squad = field(init=False)
    free: Squad = field(init=False)
    costly: Squad = field(init=False)
    made: dict[Member, Squad] = field(default_factory=dict)
    rows: dict[Member, BytesTransaction] = field(default_factory=dict)

    def method(self, name: str) -> Callable[..., Awaitable[Any]]:
        """Return the method of this name, of whichever operations have it."""
        kinds: tuple[Any, ...] = self.bytes, self.squads, self.guilds
        method: Callable[..., Awaitable[Any]] = next(
            getattr(kind, name) for kind in kinds if hasattr(kind, name)
        )
        return method


async def create_world(
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    guild_ops: GuildOperations | None = None,
    known: Iterable[Member] = KNOWN,
) -> World:
    """Create the guild of `World` in the open database."""
    world = World(bytes_ops, squad_ops, guild_ops or GuildOperations())
    await world.bytes.update_config(GUILD, BytesConfigUpdate(max_transfer=10**6))
    await world.bytes.grant_many(GUILD, dict.fromkeys(known, BALANCE - 100))
    await world.bytes.grant_many(GUILD, dict.fromkeys([ALICE, BOB], BALANCE - 100))
    costs = {"paid": 5, "other": 5, "free": 0, "costly": 10 * BALANCE}
    for role, (name, cost) in enumerate(costs.items(), 1):
        data = SquadCreate(guild_id=GUILD, role_id=role, name=name, switch_cost=cost)
        setattr(world, name, await world.squads.create_squad(data))
    return world


Arguments = Callable[[World, Member], dict[str, Any]]
Prepare = Callable[[World, Member], Awaitable[Any]]


@dataclass(frozen=True)
class Operation:
    """A method of the operations' classes, with arguments for any member.

    Attributes:
        name: The method's name; after a comma, the variant.
        arguments: Those with which it succeeds.
        writes: The tables that it changes for a known member, and by how many rows; None for a
            read.
        writes_for_new: The same for a member whom the guild does not know; None if it does the
            same as for a known one, or cannot be used.
        refusal: Arguments with which it is refused.
        error: The class of the refusal.
        prepare: Prepares a call that succeeds.
        prepare_refusal: Prepares a refusal.
    """

    name: str
    arguments: Arguments
    writes: Mapping[str, int] | None = None
    writes_for_new: Mapping[str, int] | None = None
    refusal: Arguments | None = None
    error: type[Exception] = Exception
    prepare: Prepare | None = None
    prepare_refusal: Prepare | None = None

    @property
    def method(self) -> str:
        """Return the name of the method."""
        return self.name.partition(",")[0]

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """Return the parameters of the method."""
        kind = next(kind for kind in KINDS if hasattr(kind, self.method))
        return inspect.signature(getattr(kind, self.method)).parameters

    @property
    def takes_key(self) -> bool:
        """Return whether it takes an idempotency key."""
        return self.method == "create_transaction" or "idempotency_key" in self.parameters

    @property
    def writes_ledger(self) -> bool:
        """Return whether it writes a ledger row for a known member."""
        return (self.writes or {}).get("bytes_transactions", 0) > 0

    async def call(self, world: World, **arguments: Any) -> Any:
        """Call the method; a key goes into the input where there is no parameter for it."""
        if "idempotency_key" in arguments and isinstance(
            data := arguments.get("data"), BytesTransactionCreate
        ):
            key = {"idempotency_key": arguments.pop("idempotency_key")}
            arguments["data"] = BytesTransactionCreate(**data.model_dump() | key)
        return await world.method(self.method)(**arguments)

    async def run(self, world: World, member: Member, key: str | None = None) -> Any:
        """Call it so that it succeeds; `get_ready` comes before.

        Args:
            world: The guild.
            member: Who is concerned; each member can be used once.
            key: An idempotency key.
        """
        key_argument = {} if key is None else {"idempotency_key": key}
        return await self.call(world, **self.arguments(world, member), **key_argument)

    async def get_ready(self, world: World, member: Member) -> None:
        """Prepare `run`."""
        if self.prepare is not None:
            await self.prepare(world, member)


@dataclass(frozen=True)
class Case:
    """An operation that writes, for a known or a new member."""

    operation: Operation
    is_new: bool

    @property
    def members(self) -> range:
        """Return members to use it with."""
        return NEW if self.is_new else KNOWN

    @property
    def writes(self) -> Mapping[str, int]:
        """Return the tables that it changes, and by how many rows."""
        return (self.operation.writes_for_new if self.is_new else self.operation.writes) or {}

    def __str__(self) -> str:
        return self.operation.name + ", new member" * self.is_new


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operation, which a law tries values for."""

    operation: Operation
    name: str

    @property
    def can_be_none(self) -> bool:
        """Return whether None is its default."""
        return self.operation.parameters[self.name].default is None

    async def call(self, world: World, value: Any, member: Member = KNOWN[0]) -> Any:
        """Call the operation with a value of the parameter, and good ones of the others."""
        arguments = self.operation.arguments(world, member) | {self.name: value}
        return await self.operation.call(world, **arguments)

    def __str__(self) -> str:
        return f"{self.operation.method} {self.name}"


@dataclass(frozen=True)
class Refusal:
    """A call that is refused.

    Attributes:
        name: Its name in the laws.
        get_ready: Prepares the call.
        run: The call.
        error: The class of the refusal.
    """

    name: str
    get_ready: Prepare
    run: Prepare
    error: type[Exception]

    def __str__(self) -> str:
        return self.name


# The table ----------------------------------------------------------------------------------------


async def claim(world: World, member: Member) -> None:
    """Claim the member's bytes of the day."""
    await world.bytes.claim_daily(GUILD, member)


async def pay_nothing(world: World, member: Member) -> None:
    """Set the guild's daily amount to zero."""
    await world.bytes.update_config(GUILD, BytesConfigUpdate(daily_amount=0))


async def join_paid(world: World, member: Member) -> None:
    """Let the member join the squad that costs 5."""
    await world.squads.join_squad(GUILD, member, world.paid.id)


async def mark_left(world: World, member: Member) -> None:
    """Let the member leave the guild."""
    await world.guilds.set_member_left(GUILD, member)


async def make_squad(world: World, member: Member) -> None:
    """Make a squad whose role is the member's id."""
    data = SquadCreate(guild_id=GUILD, role_id=member, name="Made")
    world.made[member] = await world.squads.create_squad(data)


async def make_guild(world: World, member: Member) -> None:
    """Make a guild whose id is the member's, with a row in each table."""
    await world.bytes.update_config(member, BytesConfigUpdate(daily_amount=1))
    data = SquadCreate(guild_id=member, role_id=member, name="Made", switch_cost=0)
    squad = await world.squads.create_squad(data)
    await world.squads.join_squad(member, BOB, squad.id)


async def spend(world: World, member: Member) -> None:
    """Charge a byte, so that the member's total exceeds the balance."""
    await world.bytes.charge(GUILD, member, 1)


async def differ(world: World, member: Member) -> None:
    """Give all members the same balance, and then a byte to this one."""
    await world.bytes.reset_balances(GUILD, BALANCE)
    await world.bytes.grant(GUILD, member, 1)


async def grant_row(world: World, member: Member) -> None:
    """Grant a byte to the member; the row is that of `World.rows`."""
    world.rows[member] = await world.bytes.grant(GUILD, member, 1)


async def transfer_row(world: World, member: Member) -> None:
    """Transfer a byte from the member to Bob; the row is that of `World.rows`."""
    world.rows[member] = await world.bytes.create_transaction(make_transfer(member, BOB))


async def reversed_row(world: World, member: Member) -> None:
    """Grant a byte to the member and reverse it; the row is that of `World.rows`."""
    await grant_row(world, member)
    await world.bytes.reverse_transaction(GUILD, world.rows[member].id)


POSTED = {"bytes_balances": 0, "bytes_transactions": 1}
POSTED_FOR_NEW = {"bytes_balances": 1, "bytes_transactions": 2}

WRITING_OPERATIONS = (
    Operation(
        "get_balance",
        lambda w, m: {"guild_id": GUILD, "user_id": m, "username": "new"},
        writes_for_new={"bytes_balances": 1, "bytes_transactions": 1},
        refusal=lambda w, m: {"guild_id": GUILD, "user_id": m, "username": "\0"},
        error=InvalidTextError,
    ),
    Operation(
        "update_config",
        lambda w, m: {"guild_id": GUILD, "changes": BytesConfigUpdate(daily_amount=int(m) % 10**6)},
        writes={"bytes_configs": 0},
        refusal=lambda w, m: {"guild_id": -1, "changes": BytesConfigUpdate(daily_amount=11)},
        error=InvalidSnowflakeError,
    ),
    Operation(
        "create_transaction",
        lambda w, m: {"data": make_transfer(m, BOB)},
        writes=POSTED,
        writes_for_new=POSTED_FOR_NEW,
        refusal=lambda w, m: {"data": make_transfer(m, BOB, BALANCE + 1)},
        error=InsufficientBalanceError,
    ),
    Operation(
        "claim_daily",
        lambda w, m: {"guild_id": GUILD, "user_id": m},
        writes=POSTED,
        writes_for_new=POSTED_FOR_NEW,
        refusal=lambda w, m: {"guild_id": GUILD, "user_id": m},
        error=DailyAlreadyClaimedError,
        prepare_refusal=claim,
    ),
    Operation(
        "claim_daily, unpaid",
        lambda w, m: {"guild_id": GUILD, "user_id": m},
        writes=POSTED,
        writes_for_new=POSTED_FOR_NEW,
        prepare=pay_nothing,
    ),
    Operation(
        "grant",
        lambda w, m: {"guild_id": GUILD, "user_id": m, "amount": 1},
        writes=POSTED,
        writes_for_new=POSTED_FOR_NEW,
        refusal=lambda w, m: {"guild_id": GUILD, "user_id": m, "amount": MAX_BYTES},
        error=BalanceOverflowError,
    ),
    Operation(
        "charge",
        lambda w, m: {"guild_id": GUILD, "user_id": m, "amount": 1},
        writes=POSTED,
        writes_for_new=POSTED_FOR_NEW,
        refusal=lambda w, m: {"guild_id": GUILD, "user_id": m, "amount": BALANCE + 1},
        error=InsufficientBalanceError,
    ),
    Operation(
        "grant_many",
        lambda w, m: {"guild_id": GUILD, "amounts": {str(m): 1, BOB: 2}},
        writes={"bytes_balances": 0, "bytes_transactions": 2},
        writes_for_new={"bytes_balances": 1, "bytes_transactions": 3},
        refusal=lambda w, m: {"guild_id": GUILD, "amounts": {str(m): 1, BOB: MAX_BYTES}},
        error=BalanceOverflowError,
    ),
    Operation(
        "set_balance",
        lambda w, m: {"guild_id": GUILD, "user_id": m, "balance": BALANCE + 5},
        writes=POSTED,
        writes_for_new=POSTED_FOR_NEW,
        refusal=lambda w, m: {"guild_id": GUILD, "user_id": m, "balance": MAX_BYTES},
        error=BalanceOverflowError,
        prepare_refusal=spend,
    ),
    Operation(
        "set_balance, lower",
        lambda w, m: {"guild_id": GUILD, "user_id": m, "balance": 0},
        writes=POSTED,
        writes_for_new=POSTED_FOR_NEW,
    ),
    Operation(
        "reset_balances",
        lambda w, m: {"guild_id": GUILD, "balance": BALANCE},
        writes=POSTED,
        refusal=lambda w, m: {"guild_id": GUILD, "balance": MAX_BYTES},
        error=BalanceOverflowError,
        prepare=differ,
        prepare_refusal=spend,
    ),
    Operation(
        "reverse_transaction",
        lambda w, m: {"guild_id": GUILD, "transaction_id": w.rows[m].id},
        writes=POSTED,
        refusal=lambda w, m: {"guild_id": GUILD, "transaction_id": w.rows[m].id},
        error=AlreadyReversedError,
        prepare=grant_row,
        prepare_refusal=reversed_row,
    ),
    Operation(
        "reverse_transaction, transfer",
        lambda w, m: {"guild_id": GUILD, "transaction_id": w.rows[m].id},
        writes=POSTED,
        refusal=lambda w, m: {"guild_id": GUILD, "transaction_id": UUID(int=1)},
        error=TransactionNotFoundError,
        prepare=transfer_row,
    ),
    Operation(
        "create_squad",
        lambda w, m: {"data": SquadCreate(guild_id=GUILD, role_id=m, name="New")},
        writes={"squads": 1},
        refusal=lambda w, m: {
            "data": SquadCreate(guild_id=GUILD, role_id=w.paid.role_id, name="New")
        },
        error=SquadRoleTakenError,
    ),
    Operation(
        "update_squad",
        lambda w, m: {
            "guild_id": GUILD,
            "squad_id": w.paid.id,
            "changes": SquadUpdate(name=f"Paid {m}"),
        },
        writes={"squads": 0},
        refusal=lambda w, m: {
            "guild_id": GUILD,
            "squad_id": w.paid.id,
            "changes": SquadUpdate(name="Taken", role_id=w.other.role_id),
        },
        error=SquadRoleTakenError,
    ),
    Operation(
        "delete_squad",
        lambda w, m: {"guild_id": GUILD, "squad_id": w.made[m].id},
        writes={"squads": -1},
        refusal=lambda w, m: {"guild_id": GUILD, "squad_id": UUID(int=1)},
        error=SquadNotFoundError,
        prepare=make_squad,
    ),
    Operation(
        "join_squad",
        lambda w, m: {"guild_id": GUILD, "user_id": m, "squad_id": w.paid.id},
        writes=POSTED | {"squad_memberships": 1},
        writes_for_new=POSTED_FOR_NEW | {"squad_memberships": 1},
        refusal=lambda w, m: {"guild_id": GUILD, "user_id": m, "squad_id": w.costly.id},
        error=InsufficientBalanceError,
    ),
    Operation(
        "join_squad, free",
        lambda w, m: {"guild_id": GUILD, "user_id": m, "squad_id": w.free.id},
        writes={"bytes_transactions": 1, "squad_memberships": 1},
        writes_for_new=POSTED_FOR_NEW | {"squad_memberships": 1},
        refusal=lambda w, m: {"guild_id": GUILD, "user_id": m, "squad_id": w.free.id},
        error=AlreadyInSquadError,
        prepare_refusal=join_paid,
    ),
    Operation(
        "switch_squad",
        lambda w, m: {"guild_id": GUILD, "user_id": m, "squad_id": w.other.id},
        writes=POSTED | {"squad_memberships": 0},
        refusal=lambda w, m: {"guild_id": GUILD, "user_id": m, "squad_id": w.other.id},
        error=NotInSquadError,
        prepare=join_paid,
    ),
    Operation(
        "switch_squad, free",
        lambda w, m: {"guild_id": GUILD, "user_id": m, "squad_id": w.free.id},
        writes={"bytes_transactions": 1, "squad_memberships": 0},
        refusal=lambda w, m: {"guild_id": GUILD, "user_id": m, "squad_id": w.paid.id},
        error=AlreadyInSquadError,
        prepare=join_paid,
        prepare_refusal=join_paid,
    ),
    Operation(
        "leave_squad",
        lambda w, m: {"guild_id": GUILD, "user_id": m},
        writes={"bytes_transactions": 1, "squad_memberships": -1},
        refusal=lambda w, m: {"guild_id": GUILD, "user_id": m},
        error=NotInSquadError,
        prepare=join_paid,
    ),
    Operation(
        "set_member_left",
        lambda w, m: {"guild_id": GUILD, "user_id": m},
        writes={"bytes_balances": 0},
        refusal=lambda w, m: {"guild_id": GUILD, "user_id": -1},
        error=InvalidSnowflakeError,
    ),
    Operation(
        "set_member_left, in a squad",
        lambda w, m: {"guild_id": GUILD, "user_id": m},
        writes=POSTED | {"squad_memberships": -1},
        prepare=join_paid,
    ),
    Operation(
        "set_member_left, back",
        lambda w, m: {"guild_id": GUILD, "user_id": m, "left": False},
        writes={"bytes_balances": 0},
        prepare=mark_left,
    ),
    Operation(
        "erase_member",
        lambda w, m: {"guild_id": GUILD, "user_id": m},
        writes=POSTED,
        refusal=lambda w, m: {"guild_id": GUILD, "user_id": -1},
        error=InvalidSnowflakeError,
    ),
    Operation(
        "erase_member, in a squad",
        lambda w, m: {"guild_id": GUILD, "user_id": m},
        writes={"bytes_balances": 0, "bytes_transactions": 2, "squad_memberships": -1},
        prepare=join_paid,
    ),
    Operation(
        "delete_guild",
        lambda w, m: {"guild_id": m},
        writes={
            "bytes_balances": -1,
            "bytes_configs": -1,
            "bytes_transactions": -2,
            "squad_memberships": -1,
            "squads": -1,
        },
        refusal=lambda w, m: {"guild_id": -1},
        error=InvalidSnowflakeError,
        prepare=make_guild,
    ),
)

READS = (
    Operation("find_balance", lambda w, m: {"guild_id": GUILD, "user_id": m}),
    Operation("count_members", lambda w, m: {"guild_id": GUILD}),
    Operation("get_leaderboard", lambda w, m: {"guild_id": GUILD}),
    Operation(
        "get_earnings_leaderboard", lambda w, m: {"guild_id": GUILD, "since": rules.EARLIEST}
    ),
    Operation("get_rank", lambda w, m: {"guild_id": GUILD, "user_id": m}),
    Operation("get_transaction_history", lambda w, m: {"guild_id": GUILD}),
    Operation("get_transaction_history, member", lambda w, m: {"guild_id": GUILD, "user_id": m}),
    Operation(
        "get_transaction_history, filtered",
        lambda w, m: {"guild_id": GUILD, "kind": "grant", "since": rules.EARLIEST},
    ),
    Operation("get_earned_roles", lambda w, m: {"guild_id": GUILD, "user_id": m}),
    Operation("get_config", lambda w, m: {"guild_id": GUILD}),
    Operation("verify", lambda w, m: {"guild_id": GUILD}),
    Operation("get_squad", lambda w, m: {"guild_id": GUILD, "squad_id": w.paid.id}),
    Operation("get_guild_squads", lambda w, m: {"guild_id": GUILD}),
    Operation("get_user_squad", lambda w, m: {"guild_id": GUILD, "user_id": m}),
    Operation("get_squad_members", lambda w, m: {"guild_id": GUILD, "squad_id": w.paid.id}),
    Operation("get_squad_leaderboard", lambda w, m: {"guild_id": GUILD}),
    Operation("export_member", lambda w, m: {"guild_id": GUILD, "user_id": m}),
    Operation("get_statistics", lambda w, m: {"guild_id": GUILD}),
    Operation(
        "get_role_changes", lambda w, m: {"guild_id": GUILD, "user_id": m, "role_ids": ["1", 7]}
    ),
)

OPERATIONS = {operation.name: operation for operation in (*WRITING_OPERATIONS, *READS)}
CASES = [
    Case(operation, is_new)
    for operation in WRITING_OPERATIONS
    for is_new, writes in ((False, operation.writes), (True, operation.writes_for_new))
    if writes is not None
]
"""Every operation that writes, for known members and for new ones where that is another thing."""
LEDGER_CASES = [case for case in CASES if "bytes_transactions" in case.writes]
"""Those that write a ledger row."""
KEY_CASES = [case for case in CASES if case.operation.takes_key]
"""Those that take an idempotency key."""

USED_KEY = "used"


def _refusal(operation: Operation, arguments: Arguments) -> Refusal:
    async def get_ready(world: World, member: Member) -> None:
        if operation.prepare_refusal is not None:
            await operation.prepare_refusal(world, member)

    async def run(world: World, member: Member) -> None:
        await operation.call(world, **arguments(world, member))

    return Refusal(f"{operation.name}, refused", get_ready, run, operation.error)


def _key_conflict(operation: Operation) -> Refusal:
    async def get_ready(world: World, member: Member) -> None:
        await operation.get_ready(world, member)
        await world.bytes.grant(GUILD, BOB, 7, reason="key", idempotency_key=USED_KEY)

    async def run(world: World, member: Member) -> None:
        await operation.run(world, member, USED_KEY)

    return Refusal(f"{operation.name}, used key", get_ready, run, IdempotencyConflictError)


REFUSALS = [
    *(
        _refusal(operation, operation.refusal)
        for operation in WRITING_OPERATIONS
        if operation.refusal is not None
    ),
    *(_key_conflict(operation) for operation in WRITING_OPERATIONS if operation.takes_key),
]
"""Every operation that writes, refused; and refused again where its key belongs to another one."""


def list_parameters(*names: str) -> list[Parameter]:
    """Return the parameters of all operations that have one of these names."""
    methods = {operation.method: operation for operation in reversed(OPERATIONS.values())}
    return [
        Parameter(operation, name)
        for operation in reversed(methods.values())
        for name in operation.parameters
        if name in names
    ]


each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_key_case = pytest.mark.parametrize("case", KEY_CASES, ids=str)
each_refusal = pytest.mark.parametrize("refusal", REFUSALS, ids=str)


def count_changes(before: Rows, after: Rows) -> dict[str, int]:
    """Return the tables that differ, and how many rows more each has."""
    return {
        table: len(after[table]) - len(before[table])
        for table in after
        if after[table] != before[table]
    }
