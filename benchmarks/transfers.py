"""Contests of transfers on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from random import Random

import asyncpg

import bytes_squads
from bytes_squads import BytesOperations, BytesTransactionCreate

from . import agreement, guild, ids
from .clock import Clock
from .peers.asyncpg_pool import pools
from .peers.asyncpg_transfers import OurStatement, TwoStatements, TwoStatementsWithCooldown
from .peers.pgbench import TpcB
from .peers.sqlalchemy_transfers import LockedAtOnce, ObjectsUnderLocks, engine
from .peers.tortoise_transfers import PlainTortoise
from .rounds import OURS, Contest, Contestant, Exhausted, Step, Turn, hold, rate
from .server import Housekeeper, Server
from .settings import Settings

TWO = "asyncpg, two statements"
TWO_BARE = "asyncpg, two statements, no reset"
ONE = "asyncpg, our statement"
ONE_BARE = "asyncpg, our statement, no reset"
TWO_COOL = "asyncpg, two statements and the cooldown"
SQLALCHEMY = "SQLAlchemy, get or create, then lock"
SQLALCHEMY_LEAN = "SQLAlchemy, locked at once"
TORTOISE = "Tortoise, plain"
PGBENCH = "pgbench, TPC-B"

UNIT = "transfers"


class Ours:
    """The package.

    Args:
        clock: For the ledger rows.
    """

    def __init__(self, clock: Clock) -> None:
        self._operations = BytesOperations(clock=clock)

    async def __call__(self, guild_id: str, giver: str, receiver: str, amount: int) -> None:
        """Transfer whole bytes; the order is drawn up, and checked by pydantic, in the time."""
        await self._operations.create_transaction(
            BytesTransactionCreate(
                guild_id=guild_id,
                giver_id=giver,
                giver_username=ids.NAME,
                receiver_id=receiver,
                receiver_username=ids.NAME,
                amount=amount,
            )
        )


Transfer = Callable[[str, str, str, int], Awaitable[object]]
Parties = Callable[[Random], tuple[str, str]]


def contestant(name: str, transfer: Transfer, guild_id: str, choose: Parties) -> Contestant:
    """Somebody who transfers one byte at a time.

    Args:
        name: As the tables have it.
        transfer: How.
        guild_id: Where.
        choose: Draws a giver and a receiver.
    """

    def client(random: Random) -> Step:
        return lambda: transfer(guild_id, *choose(random), 1)

    async def run(turn: Turn) -> float:
        return await rate(turn, client)

    return Contestant(name, run)


def spread(users: list[str]) -> Parties:
    """Two members by chance."""
    count = len(users)

    def choose(random: Random) -> tuple[str, str]:
        giver = int(random.random() * count)
        receiver = (giver + 1 + int(random.random() * (count - 1))) % count
        return users[giver], users[receiver]

    return choose


def hot(users: list[str]) -> Parties:
    """Everybody gives to the first member."""
    count = len(users) - 1
    return lambda random: (users[1 + int(random.random() * count)], users[0])


async def contests(server: Server, settings: Settings) -> AsyncIterator[Contest]:
    """Hold the contests, one after another."""
    users = ids.members(settings.members)
    clock = Clock()
    url = await server.migrated("transfers")
    for guild_id in (ids.GUILD, ids.COOL_GUILD):
        await guild.fill(url, guild_id, settings.members)
    async with _everybody(url, clock) as (transfers, cool, connection):
        await guild.configure(url, ids.COOL_GUILD, cooldown_hours=1)
        await guild.configure(url, ids.GUILD)
        query = agreement.on_postgres(connection)
        await agreement.same_transfers(query, ids.GUILD, users, transfers)
        before = Housekeeper(connection)
        tpc_b = await _pgbench(server, settings)
        held = partial(
            hold,
            rounds=settings.rounds,
            seconds=settings.seconds,
            warm_seconds=settings.warm_seconds,
        )
        for clients in settings.clients:
            here = [
                contestant(name, transfer, ids.GUILD, spread(users))
                for name, transfer in transfers.items()
            ]
            title = f"transfers, {clients} client{'s' * (clients > 1)}"
            contest = Contest(f"transfer-{clients}", title, UNIT)
            yield await held(contest, here + tpc_b, clients=clients, before=before)

        here = [
            contestant(name, transfer, ids.GUILD, hot(users))
            for name, transfer in transfers.items()
        ]
        contest = Contest("transfer-hot", "transfers to one member, 8 clients", UNIT)
        yield await held(contest, here, clients=8, before=before)

        cooling = {name: cool[name] for name in (OURS, TWO_COOL)}
        await agreement.same_cooldowns(query, ids.COOL_GUILD, users, cooling)
        givers: Iterator[str] = iter(())

        async def begin() -> None:
            """Everybody may give again, once."""
            nonlocal givers
            clock.advance(hours=2)
            givers = iter(Random(len(contest.rounds)).sample(users, len(users)))
            await before()

        def each_once(random: Random) -> tuple[str, str]:
            giver = next(givers, None)
            if giver is None:
                raise Exhausted
            receiver = users[int(random.random() * len(users))]
            return giver, receiver if receiver != giver else users[giver == users[0]]

        here = [
            contestant(name, transfer, ids.COOL_GUILD, each_once) for name, transfer in cool.items()
        ]
        contest = Contest("transfer-cooldown", "transfers with a cooldown, 8 clients", UNIT)
        yield await held(contest, here, clients=8, before=begin)

        report = await BytesOperations().verify()
        if not report.ok:
            raise agreement.DisagreementError(f"the ledger is off: {report.discrepancies[:3]}")


@asynccontextmanager
async def _everybody(
    url: str, clock: Clock
) -> AsyncIterator[tuple[dict[str, Transfer], dict[str, Transfer], asyncpg.Connection]]:
    """The contestants on a database, by name: those of transfers, and those with a cooldown."""
    async with AsyncExitStack() as stack:
        plain, bare = await stack.enter_async_context(pools(url, plan_once=True))
        alchemy = engine(url)
        stack.push_async_callback(alchemy.dispose)
        connection = await asyncpg.connect(url)
        stack.push_async_callback(connection.close)
        stack.push_async_callback(bytes_squads.close)
        ours = Ours(clock)
        transfers: dict[str, Transfer] = {
            OURS: ours,
            TWO: TwoStatements(plain, clock),
            TWO_BARE: TwoStatements(bare, clock),
            ONE: OurStatement(plain, clock),
            ONE_BARE: OurStatement(bare, clock),
            SQLALCHEMY: ObjectsUnderLocks(alchemy, clock),
            SQLALCHEMY_LEAN: LockedAtOnce(alchemy, clock),
            TORTOISE: PlainTortoise(clock),
        }
        cool: dict[str, Transfer] = {
            OURS: ours,
            TWO: TwoStatements(plain, clock),
            TWO_BARE: TwoStatements(bare, clock),
            TWO_COOL: TwoStatementsWithCooldown(plain, clock),
        }
        yield transfers, cool, connection


async def _pgbench(server: Server, settings: Settings) -> list[Contestant]:
    """The contestant pgbench, where the program is there."""
    program = server.program("pgbench")
    if program is None:
        return []
    tpc_b = TpcB(program, await server.empty("pgbench"))
    await tpc_b.fill(settings.pgbench_scale)
    return [Contestant(PGBENCH, tpc_b)]
