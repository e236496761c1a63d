"""A guild of any size, made with bulk SQL, with a consistent ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from bytes_squads import in_transaction
from bytes_squads.engine.execution import execute_many, execute_on
from bytes_squads.sql.statement import Statement

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SQUADS = 3
BATCH = 5_000
ROUNDS = 10

CONFIG = Statement("""
    INSERT INTO bytes_configs (guild_id, created_at, updated_at, starting_balance, daily_amount,
        streak_bonuses, max_transfer, transfer_cooldown_hours, role_rewards, timezone,
        streak_grace_days, currency_name)
    VALUES ($1, $2, $2, 100, 7, '{"8":2}', 500, 0, '{"300000000000000001":50}', 'UTC', 0, 'bytes')
""")
SQUAD = Statement("""
    INSERT INTO squads (guild_id, created_at, updated_at, id, role_id, name, switch_cost, is_active)
    VALUES ($1, $2, $2, $3, $4, $5, 0, true)
""")
BALANCE = Statement("""
    INSERT INTO bytes_balances (guild_id, created_at, updated_at, user_id, balance, total_received,
        total_sent, last_daily, streak_count)
    VALUES ($1, $2, $2, $3, 100, $4, $5, $6, 1)
""")
MEMBERSHIP = Statement("""
    INSERT INTO squad_memberships (guild_id, user_id, joined_at, squad_id) VALUES ($1, $2, $3, $4)
""")
TRANSACTION = Statement("""
    INSERT INTO bytes_transactions (guild_id, id, giver_id, giver_username, receiver_id,
        receiver_username, amount, reason, created_at, kind, idempotency_key)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
""")


def member_id(number: int) -> str:
    """The members are numbered."""
    return str(200_000_000_000_000_000 + number)


def squad_id(guild: str, number: int) -> UUID:
    """The squads are numbered in each guild."""
    return UUID(int=int(guild) << 64 | number)


async def make_guild(guild: str, members: int) -> None:
    """Make a guild of the open database, with ten ledger rows for each of its members.

    Each member receives 100 bytes, then in nine rounds gives as much as is received: in round n,
    n bytes to the n-th member after.
    """
    earned = 100 + sum(range(ROUNDS))

    def transactions() -> Iterator[list[Any]]:
        for number in range(members * ROUNDS):
            turn, member = divmod(number, members)
            giver, name = (member_id(member), f"möwe {member}") if turn else ("SYSTEM", "SYSTEM")
            to = (member + turn) % members
            yield [
                guild,
                UUID(int=int(guild) << 64 | number),
                giver,
                name,
                member_id(to),
                f"möwe {to}",
                turn or 100,
                f"round {turn}" if turn else None,
                BEGAN + timedelta(milliseconds=number // 3),  # some at the same time
                "transfer" if turn else "starting",
                f"key {number}" if number % 2 else None,
            ]

    async with in_transaction() as db:

        async def insert(statement: Statement, rows: Iterator[list[Any]]) -> None:
            while batch := list(islice(rows, BATCH)):
                await execute_many(db, statement, batch)

        def each(values: Callable[[int], list[Any]]) -> Iterator[list[Any]]:
            return (values(number) for number in range(members))

        await execute_on(db, CONFIG, guild, BEGAN)
        teams = (
            [guild, BEGAN, squad_id(guild, n), str(300 + n), f"Team {n}"] for n in range(SQUADS)
        )
        await insert(SQUAD, teams)
        today = BEGAN.date()
        numbers = (earned, earned - 100, today)
        await insert(BALANCE, each(lambda n: [guild, BEGAN, member_id(n), *numbers]))
        await insert(
            MEMBERSHIP, each(lambda n: [guild, member_id(n), BEGAN, squad_id(guild, n % SQUADS)])
        )
        await insert(TRANSACTION, transactions())
