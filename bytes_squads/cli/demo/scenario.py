"""The demo's members and their actions in two weeks: data and seeded random choices.

An `Action` is one click of one member at one time, and calls one public operation.
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
FEATURED_MEMBER = "mira"

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
"""Role ids, and the total received in whole bytes that earns each."""

CONFIG = BytesConfigUpdate(
    daily_amount=10,
    streak_bonuses={3: 2, 7: 3},
    max_transfer=100,
    transfer_cooldown_hours=1,
    role_rewards=dict(ROLES.values()),
)


@dataclass(frozen=True)
class Member:
    """A member and their habits."""

    user_id: str
    name: str
    claim_probability: float
    transfers_per_day: float
    squad: str


@dataclass(frozen=True)
class Action:
    """One click: its time and the operation that it calls."""

    at: datetime
    run: Callable[[BytesOperations, SquadOperations], Awaitable[object]]


def squads(guild_id: str) -> list[SquadCreate]:
    """Return the guild's squads."""
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
            max_members=max_members,
            is_active=active,
        )
        for number, (name, description, cost, max_members, active) in enumerate(rows)
    ]


class Scenario:
    """The members of one guild and their actions.

    Args:
        guild_id: The guild (snowflake).
        squads_by_name: Its squads.
    """

    def __init__(self, guild_id: str, squads_by_name: Mapping[str, Squad]) -> None:
        self._guild = guild_id
        self._squads = squads_by_name
        self._random = random.Random(SEED)
        self._clicks = 0
        preferred_squads = ("Night Owls", "Early Birds", "Bug Hunters")
        self.members = [
            Member(
                user_id=str(800000000000000001 + number),
                name=name,
                claim_probability=self._random.choice((0.35, 0.6, 0.8, 0.95)),
                transfers_per_day=self._random.choice((0.2, 0.6, 1.2)),
                squad=self._random.choice(preferred_squads),
            )
            for number, name in enumerate(NAMES)
        ]
        self.featured = Member(self.members[0].user_id, FEATURED_MEMBER, 0.95, 1.2, "Bug Hunters")
        self.members[0] = self.featured

    def actions_of_day(self, number: int) -> list[Action]:
        """Return the actions of a day (counted from 0), ordered by time."""
        midnight = FIRST_DAY + timedelta(days=number)
        actions = [
            *self._daily_claims(midnight),
            *self._transfers(midnight),
            *self._squad_actions(number, midnight),
            *self._purchases(midnight),
        ]
        if midnight.isoweekday() == SUNDAY:
            actions.append(self._quiz_prize(midnight + timedelta(hours=20)))
        if number == DAYS - 1:
            actions += self._error_cases(midnight + timedelta(hours=22))
        return sorted(actions, key=lambda action: action.at)

    def _random_time(self, midnight: datetime) -> datetime:
        return midnight + timedelta(minutes=self._random.randint(6 * 60, 22 * 60))

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _daily_claims(self, midnight: datetime) -> Iterator[Action]:
        for member in self.members:
            if not self._chance(member.claim_probability):
                continue
            action = self._daily_claim(member, self._random_time(midnight))
            yield action
            if self._chance(0.06):  # a double click
                yield action

    def _daily_claim(self, member: Member, at: datetime) -> Action:
        return Action(at, lambda ops, _: ops.claim_daily(self._guild, member.user_id, member.name))

    def _transfers(self, midnight: datetime) -> Iterator[Action]:
        for giver in self.members:
            for _ in range(
                int(giver.transfers_per_day) + self._chance(giver.transfers_per_day % 1)
            ):
                receiver = self._random.choice(self.members)
                if receiver is giver:
                    continue
                amount = self._random.choice((5, 5, 5, 10, 10, 15, 25, 40))
                if self._chance(0.02):
                    amount *= 10  # one zero too many
                action = self._transfer(giver, receiver, amount, self._random_time(midnight))
                yield action
                if self._chance(0.04):  # the response was lost; the bot retries
                    yield action

    def _transfer(self, giver: Member, receiver: Member, amount: int, at: datetime) -> Action:
        self._clicks += 1
        transfer = BytesTransactionCreate(
            guild_id=self._guild,
            giver_id=giver.user_id,
            giver_username=giver.name,
            receiver_id=receiver.user_id,
            receiver_username=receiver.name,
            amount=amount,
            reason=self._random.choice(REASONS),
            idempotency_key=f"click-{self._clicks}",
        )
        return Action(at, lambda ops, _: ops.create_transaction(transfer))

    def _squad_actions(self, number: int, midnight: datetime) -> Iterator[Action]:
        for member in self.members:
            at = self._random_time(midnight)
            if number in JOINING_DAYS and self._chance(0.6):
                yield self._change_squad(member, "join", member.squad, at)
            elif number > max(JOINING_DAYS) and self._chance(0.03):
                yield self._change_squad(
                    member, "switch", self._random.choice(list(self._squads)), at
                )
            elif number > max(JOINING_DAYS) and self._chance(0.01):
                yield self._leave(member, at)

    def _leave(self, member: Member, at: datetime) -> Action:
        return Action(at, lambda _, ops: ops.leave_squad(self._guild, member.user_id))

    def _change_squad(self, member: Member, method: str, squad: str, at: datetime) -> Action:
        target = self._squads[squad].id

        def run(_: BytesOperations, ops: SquadOperations) -> Awaitable[object]:
            change = ops.join_squad if method == "join" else ops.switch_squad
            return change(self._guild, member.user_id, target, username=member.name)

        return Action(at, run)

    def _purchases(self, midnight: datetime) -> Iterator[Action]:
        for member in self.members:
            if self._chance(0.02):
                yield self._purchase(member, self._random_time(midnight))

    def _purchase(self, member: Member, at: datetime) -> Action:
        return Action(
            at,
            lambda ops, _: ops.charge(
                self._guild, member.user_id, 75, username=member.name, reason="a name in colour"
            ),
        )

    def _quiz_prize(self, at: datetime) -> Action:
        winners = self._random.sample(self.members, 12)
        prizes = {winner.user_id: 60 - 4 * position for position, winner in enumerate(winners)}
        return Action(
            at,
            lambda ops, _: ops.grant_many(
                self._guild, prizes, reason="Sunday quiz", actor_id=self.featured.user_id
            ),
        )

    def _error_cases(self, at: datetime) -> list[Action]:
        """Return one action for each error that the two weeks may not produce."""
        guild, user_id = self._guild, self.members[-1].user_id
        hunters = squads(guild)[2]
        unknown = uuid5(UUID(int=0), "a deleted squad")
        key = "click-1"  # the first transfer used it
        return [
            Action(
                at, lambda ops, _: ops.grant(guild, user_id, 2**63 - 1, reason="a cat on the keys")
            ),
            Action(at, lambda ops, _: ops.grant(guild, user_id, 0)),
            Action(at, lambda ops, _: ops.grant(guild, "@yusuf", 5)),
            Action(at, lambda ops, _: ops.grant(guild, user_id, 5, reason="thanks " * 50)),
            Action(at, lambda ops, _: ops.charge(guild, user_id, 5, idempotency_key=key)),
            Action(
                at, lambda ops, _: ops.charge(guild, user_id, 1_000_000, reason="the whole shop")
            ),
            Action(at, lambda ops, _: ops.get_leaderboard(guild, limit=0)),
            Action(at, lambda _, ops: ops.create_squad(hunters)),
            Action(at, lambda _, ops: ops.get_squad(guild, unknown)),
            self._change_squad(self.members[-1], "join", "Old Guard", at),
        ]
