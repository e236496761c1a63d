"""Contests of the other operations on PostgreSQL, one client each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

import asyncpg

import bytes_squads
from bytes_squads import BytesOperations, SquadCreate, SquadOperations

from . import agreement, guild, ids
from .clock import Clock
from .peers.asyncpg_operations import ByHand
from .peers.asyncpg_pool import pools
from .rounds import OURS, Contest, Contestant, Exhausted, Step, Turn, hold, rate
from .server import Housekeeper, Server
from .settings import Settings

HAND = "asyncpg, by hand"
BARE = "asyncpg, by hand, no reset"
SINGLY = "grant, one by one"

TOP = 10
PAGE = 20
_SQUADS = 100
_PLACES = 1_000

Act = Callable[[Random], Awaitable[object]]
HandAct = Callable[[ByHand, Random], Awaitable[object]]


class Operations:
    """The contests on one database.

    Args:
        settings: How long and on how much.
        connection: For preparing and looking.
        by_hand: The peers, by name.
        clock: Everybody's.
    """

    def __init__(
        self,
        settings: Settings,
        connection: asyncpg.Connection,
        by_hand: dict[str, ByHand],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._query = agreement.on_postgres(connection)
        self._keep = Housekeeper(connection)
        self._hands = by_hand
        self._clock = clock
        self._bytes = BytesOperations(clock=clock)
        self._squads = SquadOperations(clock=clock)
        self._users = ids.members(settings.members)
        self._turns = 0
        self._left: Iterator[str] = iter(())

    async def claims(self) -> Contest:
        """Daily claims, each by another member, each turn on another day."""
        acts = self._acts(
            lambda _: self._bytes.claim_daily(ids.GUILD, self._next(), ids.NAME),
            lambda hand, _: hand.claim(ids.GUILD, self._next()),
        )

        async def tomorrow() -> None:
            self._clock.advance(days=1)
            await self._everybody_again()

        await self._same("claims", acts)
        for _ in range(8):  # the eighth claim in a row pays double
            self._clock.advance(days=1)
            await self._same("claims", acts)
        return await self._hold("claim", "daily claims", "claims", acts, tomorrow)

    async def joins(self) -> Contest:
        """Joinings of a hundred squads, each by another member; before each turn all are empty."""
        squads: list[UUID] = []
        for number in range(_SQUADS):
            new = SquadCreate(
                guild_id=ids.GUILD,
                role_id=str(300_000_000_000_000_000 + number),
                name=f"Squad {number}",
                switch_cost=1,
                max_members=_PLACES,
            )
            squads.append((await self._squads.create_squad(new)).id)
        join = self._squads.join_squad

        def any_squad(random: Random) -> UUID:
            return squads[int(random.random() * _SQUADS)]

        acts = self._acts(
            lambda r: join(ids.GUILD, self._next(), any_squad(r), username=ids.NAME),
            lambda hand, r: hand.join(ids.GUILD, self._next(), any_squad(r)),
        )

        async def leave() -> None:
            await self._keep.empty_squads()
            await self._everybody_again(keep=False)

        await leave()
        await self._same("joins", acts)
        return await self._hold("join", "joinings of a squad", "joinings", acts, leave)

    async def reads(self) -> AsyncIterator[Contest]:
        """The leaderboard's first ten, a rank, and a page of the history of a regular."""
        users, ours = self._users, self._bytes

        def among(random: Random, count: int) -> str:
            return users[int(random.random() * count)]

        tops = self._acts(
            lambda _: ours.get_leaderboard(ids.GUILD, TOP),
            lambda hand, _: hand.top(ids.GUILD, TOP),
        )
        ranks = self._acts(
            lambda r: ours.get_rank(ids.GUILD, among(r, len(users))),
            lambda hand, r: hand.rank(ids.GUILD, among(r, len(users))),
        )
        pages = self._acts(
            lambda r: ours.get_transaction_history(ids.GUILD, among(r, guild.REGULARS), PAGE),
            lambda hand, r: hand.history(ids.GUILD, among(r, guild.REGULARS), PAGE),
        )
        entry = ("id", "giver_id", "receiver_id", "amount", "kind", "created_at")
        for key, title, unit, acts, fields in (
            ("top", f"leaderboard, top {TOP}", "leaderboards", tops, ("user_id", "balance")),
            ("rank", "rank of any member", "ranks", ranks, ("rank", "balance")),
            ("history", f"history, page of {PAGE}", "pages", pages, entry),
        ):
            answers = {n: _values(await act(Random("agree")), fields) for n, act in acts.items()}
            agreement.all_same(title, answers)
            yield await self._hold(key, title, unit, acts, self._keep)

    async def grants(self) -> Contest:
        """Grants to many known members at once, beside one after another: members per second."""
        settings, users = self._settings, self._users
        ours = self._bytes

        def many(random: Random) -> dict[str, int]:
            return dict.fromkeys(random.sample(users, settings.batch), 1)

        acts = self._acts(
            lambda r: ours.grant_many(ids.GUILD, many(r)),
            lambda hand, r: hand.grant_many(ids.GUILD, many(r)),
        )

        def one(random: Random) -> Awaitable[object]:
            return ours.grant(ids.GUILD, users[int(random.random() * len(users))], 1)

        seen = {}
        for name, act in acts.items():
            paid = next(iter(many(Random("agree"))))
            act_once = act(Random("agree"))
            seen[name] = await agreement.change(self._query, ids.GUILD, paid, act_once)
        agreement.all_same("grants", seen)
        here = [_contestant(n, act, settings.batch) for n, act in acts.items()]
        here.append(_contestant(SINGLY, one))
        title = f"grants, {settings.batch:,} members at once"
        return await self._held(Contest("grant-many", title, "members"), here, self._keep)

    def _acts(self, ours: Act, theirs: HandAct) -> dict[str, Act]:
        """What everybody does, by name."""
        return {OURS: ours, **{name: partial(theirs, hand) for name, hand in self._hands.items()}}

    def _next(self) -> str:
        user = next(self._left, None)
        if user is None:
            raise Exhausted
        return user

    async def _everybody_again(self, *, keep: bool = True) -> None:
        """Every member may act once more, in an order that is new each round."""
        self._turns += 1
        self._left = iter(Random(self._turns).sample(self._users, len(self._users)))
        if keep:
            await self._keep()

    async def _same(self, what: str, acts: dict[str, Act]) -> None:
        """Make sure that the acts change the same for a member, each for one of its own."""
        seen = {}
        for (name, act), user in zip(acts.items(), self._users, strict=False):
            self._left = iter([user])
            act_once = act(Random("agree"))
            seen[name] = await agreement.change(self._query, ids.GUILD, user, act_once)
        agreement.all_same(what, seen)

    async def _hold(
        self,
        key: str,
        title: str,
        unit: str,
        acts: dict[str, Act],
        before: Callable[[], Awaitable[None]],
    ) -> Contest:
        here = [_contestant(name, act) for name, act in acts.items()]
        return await self._held(Contest(key, title, unit), here, before)

    async def _held(
        self, contest: Contest, here: list[Contestant], before: Callable[[], Awaitable[None]]
    ) -> Contest:
        return await hold(
            contest,
            here,
            rounds=self._settings.rounds,
            clients=1,
            seconds=self._settings.reading_seconds,
            warm_seconds=self._settings.warm_seconds,
            before=before,
        )


def _contestant(name: str, act: Act, each: int = 1) -> Contestant:
    """Somebody whose every act counts for `each`."""

    def client(random: Random) -> Step:
        return lambda: act(random)

    async def run(turn: Turn) -> float:
        return await rate(turn, client, each)

    return Contestant(name, run)


def _values(answer: Any, fields: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """The fields of an answer's rows, whether these are asyncpg's or the package's."""
    rows = answer if isinstance(answer, list) else [answer]
    return [
        tuple(
            row[field] if isinstance(row, asyncpg.Record) else getattr(row, field)
            for field in fields
        )
        for row in rows
    ]


async def contests(server: Server, settings: Settings) -> AsyncIterator[Contest]:
    """Hold the contests, one after another."""
    url = await server.migrated("operations")
    clock = Clock()
    await guild.fill(url, ids.GUILD, settings.members, past=True)
    await guild.configure(url, ids.GUILD)
    connection = await asyncpg.connect(url)
    try:
        async with pools(url) as (plain, bare):
            by_hand = {HAND: ByHand(plain, clock), BARE: ByHand(bare, clock)}
            here = Operations(settings, connection, by_hand, clock)
            async for contest in here.reads():
                yield contest
            yield await here.claims()
            yield await here.joins()
            yield await here.grants()
        report = await BytesOperations().verify()
        if not report.ok:
            raise agreement.DisagreementError(f"the ledger is off: {report.discrepancies[:3]}")
    finally:
        await connection.close()
        await bytes_squads.close()
