"""Who is in the demo's guild and what happens there in two weeks: data and chance, no database.

Chance is seeded, so that runs are alike. An `Act` is one click of one member at one point in time;
what it does goes through the package's public operations.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from ... import (
    BytesConfigUpdate,
    BytesOperations,
    BytesTransactionCreate,
    Squad,
    SquadCreate,
    SquadOperations,
)

DAYS = 14
FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
JOINING_DAYS = (1, 2)  # counted from 0
SUNDAY = 7
SEED = 20260302
HEROINE = "mira"

NAMES = (
    "mira", "ada", "amara", "anton", "bela", "bruno", "carmen", "chiyo", "dario", "dilan",
    "edith", "elif", "emil", "esra", "farid", "femke", "finn", "gita", "goran", "hana",
    "hugo", "ida", "ines", "ivan", "jamal", "jonas", "juno", "kaito", "karla", "kofi",
    "lars", "leila", "linus", "luca", "mads", "maren", "marek", "mei", "milo", "nadia",
    "nils", "noor", "olga", "omar", "otto", "paula", "petra", "quinn", "rafa", "ravi",
    "rosa", "sami", "selin", "sven", "tarik", "thea", "uma", "vera", "wanda", "yusuf",
)  # fmt: skip

REASONS = (
    "found the missing await",
    "explained the stack trace",
    "reviewed my first patch",
    "stayed up to fix the build",
    "drew the new server icon",
    "kind words before the exam",
    "cut forty pages to one",
    "carried us in the raid",
    "translated the rules",
    "spotted the typo in time",
    "lent me a keyboard",
    "best meme of the week",
    "taught me rebase, again",
    "wrote the quiz questions",
    "answered on a Sunday",
    "made the bot stop shouting",
)

ROLES = {
    "Regular": ("910000000000000001", 300),
    "Pillar": ("910000000000000002", 600),
}
"""Role id, and the total received in whole bytes that earns it."""

CONFIG = BytesConfigUpdate(
    daily_amount=10,
    streak_bonuses={3: 2, 7: 3},
    max_transfer=100,
    transfer_cooldown_hours=1,
    role_rewards=dict(ROLES.values()),
)


@dataclass(frozen=True)
class Member:
    """A member: how likely a daily claim is, how many thanks a day, and the favourite squad."""

    user_id: str
    name: str
    diligence: float
    warmth: float
    squad: str


@dataclass(frozen=True)
class Act:
    """One click: when it happens, and what it asks for."""

    at: datetime
    ask: Callable[[BytesOperations, SquadOperations], Awaitable[object]]


def squads(guild_id: str) -> list[SquadCreate]:
    """The squads that the guild begins with."""
    rows = (
        ("Night Owls", "awake when it compiles", 40, None, True),
        ("Early Birds", "awake when it breaks", 25, 20, True),
        ("Bug Hunters", "twelve seats, always wanted", 60, 12, True),
        ("Old Guard", "closed until spring", 0, None, False),
    )
    return [
        SquadCreate(
            guild_id=guild_id,
            role_id=str(920000000000000001 + number),
            name=name,
            description=description,
            switch_cost=cost,
            max_members=places,
            is_active=active,
        )
        for number, (name, description, cost, places, active) in enumerate(rows)
    ]


class Story:
    """What happens in one guild.

    Args:
        guild_id: The guild (snowflake).
        made: Its squads by name.
    """

    def __init__(self, guild_id: str, made: Mapping[str, Squad]) -> None:
        self._guild = guild_id
        self._squads = made
        self._chance = random.Random(SEED)
        self._clicks = 0
        favourites = ("Night Owls", "Early Birds", "Bug Hunters")
        self.members = [
            Member(
                user_id=str(800000000000000001 + number),
                name=name,
                diligence=self._chance.choice((0.35, 0.6, 0.8, 0.95)),
                warmth=self._chance.choice((0.2, 0.6, 1.2)),
                squad=self._chance.choice(favourites),
            )
            for number, name in enumerate(NAMES)
        ]
        self.heroine = Member(self.members[0].user_id, HEROINE, 0.95, 1.2, "Bug Hunters")
        self.members[0] = self.heroine

    def day(self, number: int) -> list[Act]:
        """What happens on a day (from 0), by time."""
        midnight = FIRST_DAY + timedelta(days=number)
        acts = [
            *self._dailies(midnight),
            *self._thanks(midnight),
            *self._squad_life(number, midnight),
            *self._shop(midnight),
        ]
        if midnight.isoweekday() == SUNDAY:
            acts.append(self._quiz_prize(midnight + timedelta(hours=20)))
        if number == DAYS - 1:
            acts += self._mishaps(midnight + timedelta(hours=22))
        return sorted(acts, key=lambda act: act.at)

    def _some_time(self, midnight: datetime) -> datetime:
        return midnight + timedelta(minutes=self._chance.randint(6 * 60, 22 * 60))

    def _happens(self, probability: float) -> bool:
        return self._chance.random() < probability

    def _dailies(self, midnight: datetime) -> Iterator[Act]:
        for member in self.members:
            if not self._happens(member.diligence):
                continue
            act = self._daily(member, self._some_time(midnight))
            yield act
            if self._happens(0.06):  # a double click
                yield act

    def _daily(self, member: Member, at: datetime) -> Act:
        return Act(at, lambda ops, _: ops.claim_daily(self._guild, member.user_id, member.name))

    def _thanks(self, midnight: datetime) -> Iterator[Act]:
        for giver in self.members:
            for _ in range(int(giver.warmth) + self._happens(giver.warmth % 1)):
                receiver = self._chance.choice(self.members)
                if receiver is giver:
                    continue
                amount = self._chance.choice((5, 5, 5, 10, 10, 15, 25, 40))
                if self._happens(0.02):
                    amount *= 10  # a nought too many
                act = self._transfer(giver, receiver, amount, self._some_time(midnight))
                yield act
                if self._happens(0.04):  # the answer got lost, the bot sends it once more
                    yield act

    def _transfer(self, giver: Member, receiver: Member, amount: int, at: datetime) -> Act:
        self._clicks += 1
        order = BytesTransactionCreate(
            guild_id=self._guild,
            giver_id=giver.user_id,
            giver_username=giver.name,
            receiver_id=receiver.user_id,
            receiver_username=receiver.name,
            amount=amount,
            reason=self._chance.choice(REASONS),
            idempotency_key=f"click-{self._clicks}",
        )
        return Act(at, lambda ops, _: ops.create_transaction(order))

    def _squad_life(self, number: int, midnight: datetime) -> Iterator[Act]:
        for member in self.members:
            at = self._some_time(midnight)
            if number in JOINING_DAYS and self._happens(0.6):
                yield self._move(member, "join", member.squad, at)
            elif number > max(JOINING_DAYS) and self._happens(0.03):
                yield self._move(member, "switch", self._chance.choice(list(self._squads)), at)
            elif number > max(JOINING_DAYS) and self._happens(0.01):
                yield self._leave(member, at)

    def _leave(self, member: Member, at: datetime) -> Act:
        return Act(at, lambda _, ops: ops.leave_squad(self._guild, member.user_id))

    def _move(self, member: Member, how: str, squad: str, at: datetime) -> Act:
        target = self._squads[squad].id

        def ask(_: BytesOperations, ops: SquadOperations) -> Awaitable[object]:
            move = ops.join_squad if how == "join" else ops.switch_squad
            return move(self._guild, member.user_id, target, username=member.name)

        return Act(at, ask)

    def _shop(self, midnight: datetime) -> Iterator[Act]:
        for member in self.members:
            if self._happens(0.02):
                yield self._purchase(member, self._some_time(midnight))

    def _purchase(self, member: Member, at: datetime) -> Act:
        return Act(
            at,
            lambda ops, _: ops.charge(
                self._guild, member.user_id, 75, username=member.name, reason="a name in colour"
            ),
        )

    def _quiz_prize(self, at: datetime) -> Act:
        winners = self._chance.sample(self.members, 12)
        prizes = {winner.user_id: 60 - 4 * place for place, winner in enumerate(winners)}
        return Act(
            at,
            lambda ops, _: ops.grant_many(
                self._guild, prizes, reason="Sunday quiz", actor_id=self.heroine.user_id
            ),
        )

    def _mishaps(self, at: datetime) -> list[Act]:
        """One of each refusal that two weeks might not bring by themselves."""
        guild, who = self._guild, self.members[-1].user_id
        hunters = squads(guild)[2]
        unknown = uuid5(UUID(int=0), "a squad deleted long ago")
        key = "click-1"  # the first thanks of the story had it
        return [
            Act(at, lambda ops, _: ops.grant(guild, who, 2**63 - 1, reason="a cat on the keys")),
            Act(at, lambda ops, _: ops.grant(guild, who, 0)),
            Act(at, lambda ops, _: ops.grant(guild, "@yusuf", 5)),
            Act(at, lambda ops, _: ops.grant(guild, who, 5, reason="thanks " * 50)),
            Act(at, lambda ops, _: ops.charge(guild, who, 5, idempotency_key=key)),
            Act(at, lambda ops, _: ops.charge(guild, who, 1_000_000, reason="the whole shop")),
            Act(at, lambda ops, _: ops.get_leaderboard(guild, limit=0)),
            Act(at, lambda _, ops: ops.create_squad(hunters)),
            Act(at, lambda _, ops: ops.get_squad(guild, unknown)),
            self._move(self.members[-1], "join", "Old Guard", at),
        ]
