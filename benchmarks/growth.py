"""What operations cost as a guild grows, on PostgreSQL.

Each size is a database of its own, and the contestants are the sizes: in every round each operation
is timed on all of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random

import asyncpg

import bytes_squads
from bytes_squads import BytesOperations

from . import agreement, guild, ids
from .clock import Clock
from .operations import PAGE, TOP
from .rounds import Contest, Step, Turn, rate
from .server import Housekeeper, Server
from .settings import Settings
from .transfers import Ours, spread

Act = Callable[[Random], Awaitable[object]]

TRANSFER = "growth-transfer"
_TITLES = {
    TRANSFER: ("create_transaction, 8 clients", "transfers"),
    "growth-top": (f"get_leaderboard, top {TOP}", "leaderboards"),
    "growth-history": (f"get_transaction_history, page of {PAGE}", "pages"),
    "growth-quiet": ("get_transaction_history of a member with one row", "pages"),
    "growth-rank-first": ("get_rank of the first", "ranks"),
    "growth-rank-middle": ("get_rank in the middle", "ranks"),
    "growth-rank-last": ("get_rank of the last", "ranks"),
}


def name_of(size: int) -> str:
    """A size as a contestant."""
    return f"{size:,} members"


async def contests(server: Server, settings: Settings) -> AsyncIterator[Contest]:
    """Fill the guilds and hold the contests, all at once."""
    urls = {size: await _filled(server, size) for size in settings.sizes}
    held = {key: Contest(key, *titles) for key, titles in _TITLES.items()}
    for number in range(settings.growth_rounds):
        order = settings.sizes[:: -1 if number % 2 else 1]
        figures: dict[str, dict[str, float]] = {key: {} for key in held}
        for size in order:
            await bytes_squads.init(urls[size])
            connection = await asyncpg.connect(urls[size])
            try:
                await Housekeeper(connection)()
                for key, act in (await _acts(connection, size)).items():
                    figures[key][name_of(size)] = await _timed(key, act, number, settings)
            finally:
                await connection.close()
                await bytes_squads.close()
        for key, contest in held.items():
            names = [name_of(size) for size in order]
            contest.rounds.append({"order": names, "figures": figures[key]})
    for contest in held.values():
        yield contest


async def _filled(server: Server, size: int) -> str:
    """The URL of a database with a guild of a size."""
    url = await server.migrated(f"growth_{size}")
    await guild.fill(url, ids.GUILD, size, past=True)
    await guild.configure(url, ids.GUILD)
    report = await BytesOperations().verify()
    await bytes_squads.close()
    if not report.ok or report.transactions != size * guild.ROWS_EACH:
        raise agreement.DisagreementError(f"the guild of {size} is not filled as it should be")
    return url


async def _acts(connection: asyncpg.Connection, size: int) -> dict[str, Act]:
    """The operations by key; reads come first, as transfers leave work behind."""
    ours = BytesOperations()
    transfer, choose = Ours(Clock()), spread(ids.members(size))
    at = "SELECT user_id FROM bytes_balances ORDER BY balance DESC, user_id LIMIT 1 OFFSET $1"
    first, middle, last = [
        str(await connection.fetchval(at, place)) for place in (0, size // 2, size - 1)
    ]

    def page(random: Random, among: int, before: int = 0) -> Awaitable[object]:
        user = ids.member(before + 1 + int(random.random() * among))
        return ours.get_transaction_history(ids.GUILD, user, PAGE)

    return {
        "growth-top": lambda _: ours.get_leaderboard(ids.GUILD, TOP),
        "growth-history": lambda r: page(r, guild.REGULARS),
        "growth-quiet": lambda r: page(r, guild.QUIET, size - guild.QUIET),
        "growth-rank-first": lambda _: ours.get_rank(ids.GUILD, first),
        "growth-rank-middle": lambda _: ours.get_rank(ids.GUILD, middle),
        "growth-rank-last": lambda _: ours.get_rank(ids.GUILD, last),
        TRANSFER: lambda r: transfer(ids.GUILD, *choose(r), 1),
    }


async def _timed(key: str, act: Act, number: int, settings: Settings) -> float:
    def client(random: Random) -> Step:
        return lambda: act(random)

    clients = 8 if key == TRANSFER else 1
    # The connections are new: what they prepare is prepared before the time.
    await rate(Turn(f"{key} warm", clients, settings.growth_seconds / 2), client)
    return await rate(Turn(f"{key} {number}", clients, settings.growth_seconds), client)
