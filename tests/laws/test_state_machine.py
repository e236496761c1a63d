"""Any sequence of operations has the results, refusals and rows of the reference model.

Hypothesis makes up the sequences. ``BYTES_SQUADS_EXAMPLES=500`` tries that many, other ones at each
run; without it a few are tried, always the same.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

pytest.importorskip("hypothesis", reason="could not import 'hypothesis'")

from helpers import MODELS, Clock, primary_key
from helpers.reference_model import ReferenceModel
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

import bytes_squads
from bytes_squads import (
    BytesBalance,
    BytesConfig,
    BytesConfigUpdate,
    BytesOperations,
    BytesSquadsError,
    BytesTransaction,
    BytesTransactionCreate,
    DailyClaim,
    GuildOperations,
    LedgerReport,
    MemberExport,
    Squad,
    SquadCreate,
    SquadMembership,
    SquadOperations,
    SquadStanding,
    SquadSummary,
    SquadUpdate,
)
from bytes_squads.engine._tortoise import column_names, run_on_sqlite_thread
from bytes_squads.engine.connections import current_client

EXAMPLES = os.environ.get("BYTES_SQUADS_EXAMPLES")
ROUNDS = max(int(EXAMPLES or 30) // 10, 1)
# After ten, Hypothesis goes on with small changes of what it had: each ten get a seed of their own.
SEEDS = [random.getrandbits(32) if EXAMPLES else number for number in range(ROUNDS)]
SETTINGS = settings(
    max_examples=10,
    stateful_step_count=50,
    database=None,
    deadline=None,  # a step takes as long as the database does
    suppress_health_check=[HealthCheck.too_slow],  # for the same reason
    phases=[Phase.generate, Phase.shrink],  # explaining would take minutes more
)

MAX = 2**63 - 1
DAY = timedelta(days=1)
# The machine begins at noon UTC on 2 March 2026, in the week before New York's clocks go forward.
ZONES = ("UTC", "UTC", "Asia/Kathmandu", "Pacific/Kiritimati", "America/New_York")
HOME, AWAY = "100000000000000001", "99"
GUILDS = (HOME, AWAY)
ANN, BO, CY, DI = MEMBERS = ("200000000000000001", "30", "200000000000000002", "4")
READS = {  # without the one that makes what it looks for
    "get_leaderboard",
    "get_rank",
    "get_transaction_history",
    "get_earned_roles",
    "verify",
    "get_squad",
    "get_guild_squads",
    "get_user_squad",
    "get_squad_members",
    "get_squad_leaderboard",
    "get_role_changes",
    "get_earnings_leaderboard",
    "get_statistics",
    "find_balance",
    "count_members",
    "export_member",
}
# What the model does not keep: wall times, surrogate keys, and how a first answer is kept.
UNWRITTEN = {
    BytesBalance: {"guild_id", "id", "created_at", "updated_at"},
    BytesTransaction: {"guild_id", "details"},
    BytesConfig: {"guild_id", "created_at", "updated_at"},
    Squad: {"guild_id", "created_at", "updated_at"},
    SquadMembership: {"guild_id", "id"},
}

# What stands more than once comes more often.
guilds = st.sampled_from((HOME, HOME, HOME, HOME, AWAY))
members = st.sampled_from((ANN, ANN, ANN, ANN, BO, BO, CY, DI))
names = st.sampled_from(("", "Ann", "Bo"))
keys = st.sampled_from((None, None, None, None, "k", "l", "m", "n"))
reasons = st.sampled_from((None, "Red"))
roles = st.sampled_from(("51", "52", "53", "54", "55", "56"))
amounts = st.sampled_from((1, 2, 30, 30, 30, 30, 60, 60, 100, 101, 1001, MAX - 100, MAX - 100, MAX))
limits = st.integers(1, 4)
nth = st.integers(0, 5)  # of a guild's squads so far
rooms = st.sampled_from((None, None, 1, 2))
costs = st.sampled_from((0, 0, 30, 60, 2001))
squad_names = st.sampled_from(("Red", "Blue", "blue", "Ö"))
descriptions = st.sampled_from((None, "We are many"))
# Little enough that a member's next claim is often one of the next day.
waits = st.sampled_from(
    [timedelta()] * 12
    + [timedelta(days=1)] * 3
    + [timedelta(hours=hours) for hours in (1, 11, 30, -1, -13)]
    + [timedelta(microseconds=1), timedelta(seconds=1), timedelta(seconds=-1)]
)

config_changes = st.fixed_dictionaries(
    {},
    optional={
        "starting_balance": st.sampled_from((0, 100, 100, 2000, MAX - 50)),
        "daily_amount": st.sampled_from((0, 0, 10, MAX // 2)),
        "streak_bonuses": st.sampled_from(({}, {2: 3}, {2: 2, 1: 9}, {2: 4, 64: MAX})),
        "max_transfer": st.sampled_from((0, 60, 1000, 1001, MAX)),
        "transfer_cooldown_hours": st.sampled_from((0, 1, 1, 30)),
        "role_rewards": st.sampled_from(({}, {"51": 100, "52": 101, "53": 150, "54": MAX})),
        "timezone": st.sampled_from(ZONES),
        "streak_grace_days": st.sampled_from((0, 0, 1, 3)),
        "currency_name": st.sampled_from(("bytes", "gems")),
        "currency_emoji": st.sampled_from((None, "\N{COIN}")),
    },
).map(lambda fields: BytesConfigUpdate(**fields))
squad_changes = st.fixed_dictionaries(
    {},
    optional={
        "role_id": roles,
        "name": squad_names,
        "description": descriptions,
        "switch_cost": costs,
        "max_members": rooms,
        "is_active": st.sampled_from((True, True, False)),
    },
).map(lambda fields: SquadUpdate(**fields))

new_squads = st.fixed_dictionaries(
    {
        "role_id": roles,
        "name": squad_names,
        "description": descriptions,
        "switch_cost": costs,
        "max_members": rooms,
        "is_active": st.sampled_from((True, True, True, False)),
    }
)
# An order that is given again, word for word or not; without its key it is a new one.
changes = st.sampled_from(
    ({}, {}, {}, {"username": "Ann"}, {"amount": 31}, {"amount": 31}, {"reason": "Blue"})
    + ({"idempotency_key": None},) * 5
)

name_and_key = {"username": names, "idempotency_key": keys}
why_and_key = {"reason": reasons, "actor_id": st.none() | members, "idempotency_key": keys}
# How often an operation comes, and what it is keywords: by position, by name.
OPERATIONS: dict[str, tuple[int, tuple[Any, ...], dict[str, Any]]] = {
    "again": (12, (st.sampled_from((0, 0, 0, 1, 2)), changes), {}),
    "look": (
        4,
        (members,),
        {"limit": limits, "offset": st.sampled_from((0, 0, 1, 2)), "squad_id": nth},
    ),
    "get_balance": (3, (members,), {"username": names}),
    "create_transaction": (
        6,
        (st.sampled_from(((ANN, BO), (ANN, BO), (ANN, CY), (BO, ANN), (CY, DI), (DI, ANN))),),
        name_and_key | {"amount": amounts, "reason": reasons},
    ),
    "claim_daily": (9, (members,), name_and_key),
    "grant": (2, (members,), why_and_key | {"amount": amounts, "username": names}),
    "charge": (2, (members,), why_and_key | {"amount": amounts, "username": names}),
    "grant_many": (2, (st.dictionaries(members, amounts, max_size=4),), why_and_key),
    "set_balance": (
        3,
        (members,),
        why_and_key | {"balance": st.sampled_from((0, 30, 100, 100, 130, MAX)), "username": names},
    ),
    "reset_balances": (
        1,
        (),
        why_and_key | {"balance": st.sampled_from((None, None, 0, 100, 100, MAX - 50))},
    ),
    "reverse_transaction": (6, (), why_and_key | {"transaction_id": nth}),
    "get_config": (1, (), {}),
    "update_config": (2, (config_changes,), {}),
    "create_squad": (1, (new_squads,), {}),
    "update_squad": (2, (), {"squad_id": nth, "changes": squad_changes}),
    "delete_squad": (1, (), {"squad_id": nth}),
    "join_squad": (4, (members,), name_and_key | {"squad_id": nth}),
    "switch_squad": (4, (members,), name_and_key | {"squad_id": nth}),
    "leave_squad": (1, (members,), {"idempotency_key": keys}),
    "erase_member": (1, (members,), {}),
    "delete_guild": (1, (), {}),
    "set_member_left": (3, (members,), {"left": st.sampled_from((True, True, False))}),
}


def requests(name: str) -> st.SearchStrategy[Any]:
    """An operation's name and arguments."""
    _, args, named = OPERATIONS[name]
    return st.tuples(st.just(name), st.tuples(*args), st.fixed_dictionaries(named))


# One rule for all: of several, each example would leave some out altogether.
orders = st.sampled_from(
    [name for name, (weight, _, _) in OPERATIONS.items() for _ in range(weight)]
).flatmap(requests)

Order = tuple[str, tuple[Any, ...], dict[str, Any]]


class Bench:
    """An open database and one event loop for all machines of a test."""

    def __init__(self, url: str, template: sqlite3.Connection | None) -> None:
        self.runner = asyncio.Runner()
        self.run = self.runner.run
        self.template = template
        self.run(bytes_squads.init(url))

    async def clear(self) -> None:
        """Every table as the migrations made it."""
        client: Any = current_client()
        if self.template is not None:
            await run_on_sqlite_thread(client, self.template.backup)
        else:
            tables = ", ".join(model._meta.db_table for model in MODELS)
            await client.execute_query(f"TRUNCATE {tables} RESTART IDENTITY")

    def close(self) -> None:
        """Empty the tables."""
        self.run(self.clear())
        self.run(bytes_squads.close())
        self.runner.close()


class Economy(RuleBasedStateMachine):
    """Two guilds with a few members and squads, in the database and in the model."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.run = bench.run
        self.run(bench.clear())
        self.clock = Clock(datetime(2026, 3, 2, 12, tzinfo=UTC))
        kinds = BytesOperations, SquadOperations, GuildOperations
        self.operations = [kind(clock=self.clock) for kind in kinds]
        self.paper = {guild: ReferenceModel() for guild in GUILDS}
        self.numbers: dict[UUID, int] = {}  # of ledger rows, in their guild
        self.rows: dict[str, list[UUID]] = {guild: [] for guild in GUILDS}
        self.done: dict[str, list[Order]] = {guild: [] for guild in GUILDS}
        self.squads: dict[str, list[UUID]] = {guild: [] for guild in GUILDS}
        for fields in (
            {"role_id": "51", "name": "Red", "switch_cost": 0},
            {"role_id": "52", "name": "Blue", "max_members": 1},
            {"role_id": "53", "name": "Ö", "switch_cost": 0, "max_members": 1},
        ):
            self.create_squad(HOME, fields)
        self.create_squad(AWAY, {"role_id": "51", "name": "Red"})
        for member, squad_id in zip(MEMBERS, self.squads[HOME][::2], strict=False):
            self.do(HOME, "join_squad", member, squad_id, username="")
        for guild, other in ((HOME, AWAY), (AWAY, HOME)):
            self.squads[guild].append(self.squads[other][0])  # which is not found

    @initialize(changes=config_changes)
    def configure(self, changes: BytesConfigUpdate) -> None:
        """Set the first guild's config."""
        self.do(HOME, "update_config", changes)

    @rule(wait=waits, guild=guilds, order=orders)
    def order(self, wait: timedelta, guild: str, order: Order) -> None:
        """Move the clock, then run an operation."""
        self.clock.now += wait
        name, args, keywords = order
        if "squad_id" in keywords:
            mine = self.squads[guild]
            keywords = keywords | {"squad_id": mine[keywords["squad_id"] % len(mine)]}
        if "transaction_id" in keywords:
            newest = [*self.rows[guild][:-6:-1], UUID(int=1)]  # the last is not found
            keywords = keywords | {
                "transaction_id": newest[min(keywords["transaction_id"], len(newest) - 1)]
            }
        if name in {"again", "look", "create_squad"}:
            getattr(self, name)(guild, *args, **keywords)
            return
        if "idempotency_key" in keywords:
            self.done[guild].append((name, args, keywords))
            self.request(guild, name, *args, **keywords)
        else:
            self.do(guild, name, *args, **keywords)

    def request(self, guild: str, name: str, *args: Any, **keywords: Any) -> None:
        """Run an operation with a key in the form that it takes."""
        if name == "create_transaction":
            parties = dict(zip(("giver_id", "receiver_id"), args[0], strict=True))
            parties |= {"giver_username": keywords.pop("username"), "receiver_username": "Cy"}
            self.do(guild, name, BytesTransactionCreate(guild_id=guild, **parties, **keywords))
        else:
            self.do(guild, name, *args, **keywords)

    def create_squad(self, guild: str, fields: dict[str, Any]) -> None:
        """Create a squad; deleted squads stay among the arguments."""
        squad = self.do(guild, "create_squad", SquadCreate(guild_id=guild, **fields))
        if isinstance(squad, Squad):
            self.squads[guild].append(squad.id)

    def again(self, guild: str, back: int, changes: dict[str, Any]) -> None:
        """Repeat one of the guild's last requests, possibly with a change."""
        for name, args, keywords in self.done[guild][::-1][back : back + 1]:
            fitting = {field: value for field, value in changes.items() if field in keywords}
            self.request(guild, name, *args, **keywords | fitting)

    def look(self, guild: str, user: str, limit: int, offset: int, squad_id: UUID) -> None:
        """Compare the results of the reading operations."""
        self.do(guild, "get_leaderboard", limit=limit, offset=offset)
        self.do(guild, "get_rank", user)
        self.do(guild, "export_member", user)
        self.do(guild, "find_balance", user)
        self.do(guild, "count_members")
        self.do(guild, "get_earned_roles", user)
        for whose in (None, user):
            page = self.do(guild, "get_transaction_history", whose, limit=10 * limit, before=None)
            for last in page[-limit:][:1]:
                self.do(guild, "get_transaction_history", whose, limit=limit, before=last)
            for kind in ("daily", "squad"):
                more = {"kind": kind, "since": self.clock.now - DAY}
                self.do(guild, "get_transaction_history", whose, limit=limit, before=None, **more)
        for until in (None, self.clock.now):
            since = self.clock.now - DAY
            self.do(guild, "get_earnings_leaderboard", since=since, until=until, limit=limit)
        self.do(guild, "verify")
        counted = [paper.verify() for paper in self.paper.values()]
        members = sum(report.members for report in counted)
        rows = sum(report.transactions for report in counted)
        assert LedgerReport(members, rows, ()) == self.run(BytesOperations().verify())
        self.do(guild, "get_squad", squad_id)
        self.do(guild, "get_guild_squads", active_only=True)
        self.do(guild, "get_guild_squads", active_only=False)
        self.do(guild, "get_user_squad", user)
        self.do(guild, "get_squad_members", squad_id)
        self.do(guild, "get_squad_leaderboard", limit=limit)
        self.do(guild, "get_statistics")
        self.do(guild, "get_statistics", since=self.clock.now - DAY, until=self.clock.now)
        self.do(guild, "get_role_changes", user, role_ids=["51", "54", "56", "7"])

    # Comparing ------------------------------------------------------------------------------------

    def do(self, guild: str, name: str, *args: Any, **keywords: Any) -> Any:
        """Run an operation in both: the same result or refusal, the same rows."""
        operation = next(getattr(ops, name) for ops in self.operations if hasattr(ops, name))
        named = args and isinstance(args[0], BytesTransactionCreate | SquadCreate)
        where = () if named else (guild,)
        answer = outcome(lambda: self.run(operation(*where, *args, **keywords)))
        if name == "create_squad":
            keywords = {"drawn": getattr(answer, "id", None)}
        if name == "erase_member":
            keywords = {"drawn": answer}
        if "before" in keywords:
            keywords = keywords | {
                "before": keywords["before"] and self.seen(keywords["before"], guild)
            }
        if "transaction_id" in keywords:
            row_id = keywords["transaction_id"]
            keywords = keywords | {"transaction_id": self.numbers.get(row_id, row_id)}
        expected = outcome(lambda: self.paper[guild].do(self.clock.now, name, *args, **keywords))
        # Whether a read changed a row, the next operation that writes tells.
        stored = None if name in READS else self.run(self.read())
        seen = self.seen(answer, guild)
        assert expected == seen
        if stored is not None:
            assert {guild: paper.tables() for guild, paper in self.paper.items()} == stored
        return answer

    async def read(self) -> dict[str, Any]:
        """The five tables, as a model has them."""
        async with bytes_squads.in_transaction() as db:  # all on one connection, which is quicker
            rows = {
                model: await model.all().order_by(primary_key(model)).using_db(db)
                for model in MODELS
            }
        stored = {}
        self.numbers = {}
        for guild in GUILDS:
            mine = {model: [r for r in rows[model] if r.guild_id == guild] for model in MODELS}
            self.rows[guild] = [row.id for row in mine[BytesTransaction]]
            self.numbers |= {row.id: n for n, row in enumerate(mine[BytesTransaction])}
            config, members, ledger, squads, seats = (
                [self.seen(row, guild) for row in mine[model]]
                for model in (BytesConfig, BytesBalance, BytesTransaction, Squad, SquadMembership)
            )
            stored[guild] = {
                "config": config[0] if config else {},
                "members": {row["user_id"]: row for row in members},
                "ledger": ledger,
                "squads": {row["id"]: row for row in squads},
                "seats": {row["user_id"]: row for row in seats},
            }
        return stored

    def seen(self, thing: Any, guild: str) -> Any:
        """Return a result or row of the package in the model's form."""
        if isinstance(thing, list):
            return [self.seen(each, guild) for each in thing]
        if isinstance(thing, tuple):  # an error and its attributes
            error, attributes = thing
            return error, {
                name: self.numbers.get(value, value) if isinstance(value, UUID) else value
                for name, value in attributes.items()
            }
        if isinstance(thing, DailyClaim):
            return replace(thing, transaction_id=self.numbers[thing.transaction_id])
        if isinstance(thing, MemberExport):
            return (
                thing.balance and thing.balance["balance"],
                thing.squad and UUID(thing.squad["squad_id"]),
                [self.numbers[UUID(row["id"])] for row in thing.transactions],
                thing.ordered_as_moderator,
            )
        if isinstance(thing, SquadSummary):
            return self.seen(thing.squad, guild), thing.member_count
        if isinstance(thing, SquadStanding):
            squad = self.seen(thing.squad, guild)
            return thing.rank, squad, thing.member_count, thing.total_balance
        if not isinstance(thing, MODELS):
            return thing
        assert guild == thing.guild_id
        written = set(column_names(type(thing))) - UNWRITTEN[type(thing)]
        row = {name: getattr(thing, name) for name in written}
        if isinstance(thing, BytesTransaction):
            row["id"] = self.numbers[thing.id]
            row["reverses_id"] = self.numbers.get(thing.reverses_id) if thing.reverses_id else None
        return row


def outcome(work: Callable[[], Any]) -> Any:
    """Return the result, or the refusal with its numbers."""
    try:
        return work()
    except BytesSquadsError as error:
        return type(error), vars(error)


def test_any_sequence_of_operations_does_what_the_model_does(
    backend: str, request: pytest.FixtureRequest
) -> None:
    """Each answer, each refusal with its numbers, and after each step every row."""
    if backend == "sqlite":
        bench = Bench("sqlite://:memory:", request.getfixturevalue("sqlite_migrated"))
    else:
        bench = Bench(request.getfixturevalue("postgres_migrated"), None)
    try:
        for number in SEEDS:
            run_state_machine_as_test(seed(number)(lambda: Economy(bench)), settings=SETTINGS)
    finally:
        bench.close()
