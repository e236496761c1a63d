"""The five models: values, defaults, and rows that the database refuses.

The refused rows are written with SQL instead of the ORM: the database itself must refuse them.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from helpers import Database, Ids, MakeMember, MakeSquad
from tortoise.exceptions import BaseORMException, IntegrityError

from bytes_squads import (
    BytesBalance,
    BytesConfig,
    BytesTransaction,
    Squad,
    SquadMembership,
    SquadOperations,
)
from bytes_squads.domain.ids import uuid7
from bytes_squads.engine.connections import current_client

GUILD = "100000000000000001"
OTHER_GUILD = "100000000000000002"
LARGEST_SNOWFLAKE = str(2**64 - 1)
MAX_BYTES = 2**63 - 1
MOMENT = "2026-03-02 12:00:00+00:00"
KINDS = ("transfer", "starting", "daily", "grant", "charge", "squad", "reversal")
FREE_KINDS = ("starting", "daily", "squad")

SQUAD_ID = "01951000-0000-7000-8000-000000000001"
OTHER_SQUAD_ID = "01951000-0000-7000-8000-000000000002"

Row = dict[str, Any]

REVERSES: dict[str, Row] = {"reversal": {"reverses_id": "01951000-0000-7000-8000-0000000000bb"}}
"""What a row of this kind needs beside the kind."""

# One good row for each table, complete but for what the database fills in.
GOOD: dict[str, Row] = {
    "bytes_balances": {
        "guild_id": GUILD,
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "user_id": "1",
        "balance": 5,
        "total_received": 7,
        "total_sent": 2,
        "streak_count": 0,
    },
    "bytes_transactions": {
        "guild_id": GUILD,
        "id": "01951000-0000-7000-8000-0000000000aa",
        "giver_id": "1",
        "giver_username": "alice",
        "receiver_id": "2",
        "receiver_username": "bob",
        "amount": 5,
        "created_at": MOMENT,
        "kind": "transfer",
    },
    "bytes_configs": {
        "guild_id": GUILD,
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "starting_balance": 100,
        "daily_amount": 10,
        "streak_bonuses": "{}",
        "max_transfer": 1000,
        "transfer_cooldown_hours": 0,
        "role_rewards": "{}",
        "timezone": "UTC",
        "streak_grace_days": 0,
        "currency_name": "bytes",
    },
    "squads": {
        "guild_id": GUILD,
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "id": SQUAD_ID,
        "role_id": "9",
        "name": "Red",
        "switch_cost": 50,
        "is_active": True,
    },
    "squad_memberships": {
        "guild_id": GUILD,
        "user_id": "1",
        "squad_id": SQUAD_ID,
        "joined_at": MOMENT,
    },
}


def literal(value: Any) -> str:
    """A value as SQL that both databases read, so that neither driver looks at it first."""
    if value is None:
        return "NULL"
    return f"'{value}'" if isinstance(value, str) else str(value)


async def insert(table: str, **changes: Any) -> None:
    """Insert the table's good row with these changes, by SQL."""
    row = {**GOOD[table], **changes}
    columns = ", ".join(f'"{column}"' for column in row)
    values = ", ".join(literal(value) for value in row.values())
    await current_client().execute_query(f'INSERT INTO "{table}" ({columns}) VALUES ({values})')


async def count(table: str) -> int:
    (row,) = await current_client().execute_query_dict(f'SELECT count(*) AS n FROM "{table}"')
    return int(row["n"])


async def refused(statement: Awaitable[Any]) -> Any:
    """The driver's error with which the database refuses the statement."""
    with pytest.raises(BaseORMException) as info:
        await statement
    return info.value.args[0]


def named(error: Any, is_postgres: bool) -> str:
    """The constraint that a driver's error names; SQLite names checks only."""
    if is_postgres:
        return str(error.constraint_name)
    return str(error).removeprefix("CHECK constraint failed: ")


# Creation and defaults ----------------------------------------------------------------------------


async def test_balance_begins_at_zero(db: Database, ids: Ids) -> None:
    """A new balance has zero bytes, zero totals and no streak."""
    created = await BytesBalance.create(guild_id=ids.guild, user_id=ids.alice)
    balance = await BytesBalance.get(id=created.id)

    assert (balance.guild_id, balance.user_id) == (ids.guild, ids.alice)
    assert (balance.balance, balance.total_received, balance.total_sent) == (0, 0, 0)
    assert (balance.last_daily, balance.streak_count) == (None, 0)
    assert (balance.last_transfer_at, balance.left_at) == (None, None)


async def test_balance_is_stored_unchanged(db: Database, ids: Ids) -> None:
    """Every field of a balance is stored unchanged."""
    created = await BytesBalance.create(
        guild_id=ids.guild,
        user_id=ids.alice,
        balance=MAX_BYTES,
        total_received=MAX_BYTES,
        total_sent=0,
        last_daily=date(2026, 3, 2),
        streak_count=64,
        last_transfer_at=datetime(2026, 3, 2, 12, 0, 0, 7, tzinfo=UTC),
        left_at=datetime(2026, 3, 2, 12, 0, 0, 8, tzinfo=UTC),
    )
    balance = await BytesBalance.get(id=created.id)

    assert (balance.balance, balance.total_received) == (MAX_BYTES, MAX_BYTES)
    assert (balance.last_daily, balance.streak_count) == (date(2026, 3, 2), 64)
    assert balance.last_transfer_at == datetime(2026, 3, 2, 12, 0, 0, 7, tzinfo=UTC)
    assert balance.left_at == datetime(2026, 3, 2, 12, 0, 0, 8, tzinfo=UTC)


async def test_ledger_row_needs_parties_amount_and_kind_only(db: Database, ids: Ids) -> None:
    """A ledger row's reason, actor, key and details are null unless given; its time is now."""
    before = datetime.now(UTC)
    created = await BytesTransaction.create(
        guild_id=ids.guild,
        giver_id=ids.alice,
        giver_username="alice",
        receiver_id=ids.bob,
        receiver_username="bob",
        amount=MAX_BYTES,
        kind="transfer",
    )
    row = await BytesTransaction.get(id=created.id)

    assert (row.guild_id, row.giver_id, row.receiver_id) == (ids.guild, ids.alice, ids.bob)
    assert (row.giver_username, row.receiver_username) == ("alice", "bob")
    assert (row.amount, row.kind) == (MAX_BYTES, "transfer")
    assert (row.reason, row.actor_id, row.idempotency_key) == (None, None, None)
    assert (row.details, row.reverses_id) == (None, None)
    assert before <= row.created_at <= datetime.now(UTC)


async def test_config_has_the_defaults_of_the_contract(db: Database, ids: Ids) -> None:
    """A new config has the documented defaults."""
    await BytesConfig.create(guild_id=ids.guild)
    config = await BytesConfig.get(guild_id=ids.guild)

    assert config.starting_balance == 100
    assert config.daily_amount == 10
    assert config.streak_bonuses == {8: 2, 16: 4, 32: 8, 64: 16}
    assert config.max_transfer == 1000
    assert config.transfer_cooldown_hours == 0
    assert config.role_rewards == {}
    assert (config.timezone, config.streak_grace_days) == ("UTC", 0)
    assert (config.currency_name, config.currency_emoji) == ("bytes", None)
    assert config.pk == ids.guild


async def test_configs_do_not_share_their_defaults(ids: Ids) -> None:
    """Changing one config's bonuses in place does not change the defaults."""
    first = BytesConfig(guild_id=ids.guild)
    first.streak_bonuses[1] = 99
    first.role_rewards["1"] = 99
    second = BytesConfig(guild_id=ids.other_guild)

    assert second.streak_bonuses == {8: 2, 16: 4, 32: 8, 64: 16}
    assert second.role_rewards == {}


async def test_squad_has_the_defaults_of_the_contract(db: Database, ids: Ids) -> None:
    """A new squad has the documented defaults."""
    created = await Squad.create(guild_id=ids.guild, role_id="9", name="Red")
    squad = await Squad.get(id=created.id)

    assert (squad.guild_id, squad.role_id, squad.name) == (ids.guild, "9", "Red")
    assert (squad.switch_cost, squad.max_members, squad.is_active) == (50, None, True)
    assert squad.description is None


async def test_membership_ties_a_member_to_a_squad(
    db: Database, ids: Ids, make_squad: MakeSquad
) -> None:
    """A membership has its squad, the squad its memberships, and joined_at defaults to now."""
    squad = await make_squad()
    before = datetime.now(UTC)
    created = await SquadMembership.create(guild_id=ids.guild, user_id=ids.alice, squad=squad)
    membership = await SquadMembership.get(id=created.id).prefetch_related("squad")

    assert membership.squad_id == squad.id
    assert membership.squad == squad
    assert before <= membership.joined_at <= datetime.now(UTC)
    assert [m.user_id for m in await squad.memberships.all()] == [ids.alice]  # type: ignore[attr-defined]


# Snowflakes, JSON, times and ids ------------------------------------------------------------------


async def test_largest_snowflake_is_stored_unchanged(db: Database) -> None:
    """Ids are text: 2**64 - 1 is stored unchanged."""
    largest = LARGEST_SNOWFLAKE
    await BytesConfig.create(guild_id=largest)
    await BytesBalance.create(guild_id=largest, user_id=largest)
    await BytesTransaction.create(
        guild_id=largest,
        giver_id="SYSTEM",
        giver_username="SYSTEM",
        receiver_id=largest,
        receiver_username="",
        amount=1,
        kind="grant",
        actor_id=largest,
    )
    squad = await Squad.create(guild_id=largest, role_id=largest, name="Red")
    await SquadMembership.create(guild_id=largest, user_id=largest, squad=squad)

    assert await BytesConfig.all().values_list("guild_id") == [(largest,)]
    assert await BytesBalance.all().values_list("guild_id", "user_id") == [(largest, largest)]
    assert await BytesTransaction.all().values_list("guild_id", "receiver_id", "actor_id") == [
        (largest, largest, largest)
    ]
    assert await Squad.all().values_list("guild_id", "role_id") == [(largest, largest)]
    assert await SquadMembership.all().values_list("guild_id", "user_id") == [(largest, largest)]


async def test_streak_bonuses_have_int_keys_after_a_reload(db: Database, ids: Ids) -> None:
    """JSON has text keys only; the model converts them to int."""
    await BytesConfig.create(guild_id=ids.guild, streak_bonuses={7: 2, 100: 3})
    config = await BytesConfig.get(guild_id=ids.guild)
    by_values = await BytesConfig.get(guild_id=ids.guild).values("streak_bonuses")

    assert config.streak_bonuses == {7: 2, 100: 3}
    assert by_values == {"streak_bonuses": {7: 2, 100: 3}}


async def test_streak_bonuses_given_with_text_keys_have_int_keys(db: Database, ids: Ids) -> None:
    """A config read from a JSON file has text keys; they are ints before and after it is stored."""
    config = await BytesConfig.create(guild_id=ids.guild, streak_bonuses={"7": 2})
    in_memory = config.streak_bonuses
    await config.refresh_from_db()

    assert in_memory == {7: 2}
    assert config.streak_bonuses == {7: 2}


async def test_streak_bonuses_keep_int_keys_after_a_save(db: Database, ids: Ids) -> None:
    """Changing the bonuses of a reloaded config and saving it keeps int keys."""
    await BytesConfig.create(guild_id=ids.guild)
    config = await BytesConfig.get(guild_id=ids.guild)
    config.streak_bonuses = {**config.streak_bonuses, 128: 32}
    await config.save()

    assert (await BytesConfig.get(guild_id=ids.guild)).streak_bonuses == {
        8: 2,
        16: 4,
        32: 8,
        64: 16,
        128: 32,
    }


async def test_role_rewards_have_text_keys_and_int_values(db: Database, ids: Ids) -> None:
    """Role ids stay text, as snowflakes do everywhere; thresholds stay ints."""
    rewards = {LARGEST_SNOWFLAKE: 1_000, "9": MAX_BYTES}
    await BytesConfig.create(guild_id=ids.guild, role_rewards=rewards)

    assert (await BytesConfig.get(guild_id=ids.guild)).role_rewards == rewards


async def test_details_of_a_ledger_row_come_back_as_they_were(db: Database, ids: Ids) -> None:
    """A ledger row's details are a JSON object: nesting, text and large ints included."""
    details = {"streak": 8, "on": "2026-03-02", "parts": [1, {"é": None}], "large": MAX_BYTES}
    row = await BytesTransaction.create(
        guild_id=ids.guild,
        giver_id="SYSTEM",
        giver_username="SYSTEM",
        receiver_id=ids.alice,
        receiver_username="",
        amount=1,
        kind="daily",
        details=details,
    )

    assert (await BytesTransaction.get(id=row.id)).details == details


@pytest.mark.parametrize("model", [BytesBalance, BytesConfig, Squad])
async def test_audit_times_are_utc(db: Database, ids: Ids, model: Any) -> None:
    """created_at and updated_at are timezone-aware UTC, before and after a reload."""
    fields = {
        BytesBalance: {"user_id": ids.alice},
        BytesConfig: {},
        Squad: {"role_id": "9", "name": "Red"},
    }[model]
    before = datetime.now(UTC)
    created = await model.create(guild_id=ids.guild, **fields)
    after = datetime.now(UTC)
    reloaded = await model.get(pk=created.pk)

    for row in (created, reloaded):
        assert row.created_at.utcoffset() == timedelta(0)
        assert row.updated_at.utcoffset() == timedelta(0)
        assert before <= row.created_at <= after
        assert before <= row.updated_at <= after


@pytest.mark.parametrize("model", [BytesBalance, BytesConfig, Squad])
async def test_updated_at_moves_on_save_and_created_at_stays(
    db: Database, ids: Ids, model: Any
) -> None:
    """Saving a row sets updated_at and keeps created_at."""
    fields = {
        BytesBalance: {"user_id": ids.alice},
        BytesConfig: {},
        Squad: {"role_id": "9", "name": "Red"},
    }[model]
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    created = await model.create(guild_id=ids.guild, **fields)
    await model.filter(pk=created.pk).update(created_at=long_ago, updated_at=long_ago)
    row = await model.get(pk=created.pk)
    before = datetime.now(UTC)
    await row.save()
    reloaded = await model.get(pk=created.pk)

    assert reloaded.created_at == long_ago
    assert before <= reloaded.updated_at <= datetime.now(UTC)


async def test_times_given_in_another_zone_come_back_as_the_same_moment(
    db: Database, ids: Ids, make_squad: MakeSquad
) -> None:
    """A clock's moment is stored in UTC, to the microsecond."""
    moment = datetime.fromisoformat("2026-03-02T23:59:59.999999-08:00")
    membership = await SquadMembership.create(
        guild_id=ids.guild, user_id=ids.alice, squad=await make_squad(), joined_at=moment
    )
    reloaded = await SquadMembership.get(id=membership.id)

    assert reloaded.joined_at == datetime(2026, 3, 3, 7, 59, 59, 999999, tzinfo=UTC)
    assert reloaded.joined_at.utcoffset() == timedelta(0)


def test_ids_are_uuids_of_version_7() -> None:
    """An id has version 7, the RFC's variant, and begins with the Unix time in milliseconds."""
    before = time.time_ns() // 1_000_000
    value = uuid7()
    after = time.time_ns() // 1_000_000

    assert isinstance(value, UUID)
    assert value.version == 7
    assert value.variant == "specified in RFC 4122"
    assert before <= value.int >> 80 <= after + 1


def test_ids_increase() -> None:
    """Ids drawn one after another are in order, as numbers and as the text that SQLite stores."""
    drawn = [uuid7() for _ in range(20_000)]

    assert sorted(set(drawn)) == drawn
    assert sorted(map(str, drawn)) == [str(value) for value in drawn]


def test_ids_increase_when_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is set back an hour does not make a later id smaller."""
    first = uuid7()
    an_hour_ago = time.time_ns() - 3_600_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: an_hour_ago)
    second = uuid7()

    assert second > first


async def test_rows_get_ids_of_version_7(db: Database, ids: Ids) -> None:
    """A squad and a ledger row have an id before they are stored, and keep it."""
    squad = Squad(guild_id=ids.guild, role_id="9", name="Red")
    row = BytesTransaction(
        guild_id=ids.guild,
        giver_id=ids.alice,
        giver_username="",
        receiver_id=ids.bob,
        receiver_username="",
        amount=1,
        kind="transfer",
    )
    chosen = (squad.id, row.id)
    await squad.save()
    await row.save()

    assert [value.version for value in chosen] == [7, 7]
    assert ((await Squad.get()).id, (await BytesTransaction.get()).id) == chosen


# Unique keys and cascades -------------------------------------------------------------------------

UNIQUE = (
    pytest.param(
        "bytes_balances",
        ("guild_id", "user_id"),
        {"user_id": "1", "balance": 5},
        {"user_id": "1", "balance": 6, "total_received": 8},
        id="one balance for a member",
    ),
    pytest.param(
        "bytes_transactions",
        ("guild_id", "idempotency_key"),
        {"idempotency_key": "key"},
        {"idempotency_key": "key", "id": "01951000-0000-7000-8000-0000000000bb"},
        id="one ledger row for a key",
    ),
    pytest.param(
        "bytes_transactions",
        ("guild_id", "reverses_id"),
        {"kind": "reversal", "reverses_id": SQUAD_ID},
        {
            "kind": "reversal",
            "reverses_id": SQUAD_ID,
            "id": "01951000-0000-7000-8000-0000000000bb",
        },
        id="one reversal of a row",
    ),
    pytest.param(
        "squads",
        ("guild_id", "role_id"),
        {"role_id": "9"},
        {"role_id": "9", "id": OTHER_SQUAD_ID},
        id="one squad for a role",
    ),
    pytest.param(
        "squad_memberships",
        ("guild_id", "user_id"),
        {"user_id": "1"},
        {"user_id": "1", "squad_id": OTHER_SQUAD_ID},
        id="one squad for a member",
    ),
)


@pytest.mark.parametrize(("table", "columns", "first", "second"), UNIQUE)
async def test_unique_key_refuses_a_second_row(
    db: Database, table: str, columns: tuple[str, ...], first: Row, second: Row
) -> None:
    """The database enforces each unique key of the contract."""
    if table == "squad_memberships":
        await insert("squads")
        await insert("squads", id=OTHER_SQUAD_ID, role_id="10")
    await insert(table, **first)
    error = await refused(insert(table, **second))

    if db.is_postgres:
        assert error.constraint_name == f"uq_{table}_{'_'.join(columns)}"
    else:
        named_columns = ", ".join(f"{table}.{column}" for column in columns)
        assert str(error) == f"UNIQUE constraint failed: {named_columns}"
    assert await count(table) == 1


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        pytest.param("bytes_configs", {"daily_amount": 11}, id="config of a guild"),
        pytest.param("bytes_transactions", {"amount": 6}, id="ledger row"),
        pytest.param("squads", {"role_id": "10"}, id="squad"),
    ],
)
async def test_primary_key_refuses_a_second_row(db: Database, table: str, changes: Row) -> None:
    """A second row with a primary key is refused."""
    await insert(table)
    error = await refused(insert(table, **changes))

    assert getattr(error, "constraint_name", f"pk_{table}") == f"pk_{table}"
    assert await count(table) == 1


async def test_unique_key_is_of_one_guild(db: Database) -> None:
    """The same member, role and idempotency key can be in two guilds."""
    for guild, end in ((GUILD, "a"), (OTHER_GUILD, "b")):
        squad = f"01951000-0000-7000-8000-00000000000{end}"
        await insert("bytes_balances", guild_id=guild)
        await insert("bytes_transactions", guild_id=guild, idempotency_key="key", id=squad)
        await insert("bytes_configs", guild_id=guild)
        await insert("squads", guild_id=guild, id=squad)
        await insert("squad_memberships", guild_id=guild, squad_id=squad)

    assert {table: await count(table) for table in GOOD} == dict.fromkeys(GOOD, 2)


async def test_rows_without_an_idempotency_key_are_not_limited(db: Database) -> None:
    """Any number of rows can have no key."""
    for number in range(3):
        await insert("bytes_transactions", id=f"01951000-0000-7000-8000-00000000000{number}")

    assert await count("bytes_transactions") == 3


Delete = Callable[[Squad], Awaitable[Any]]


@pytest.mark.parametrize(
    "delete",
    [
        pytest.param(lambda squad: squad.delete(), id="by the model"),
        pytest.param(lambda squad: Squad.filter(id=squad.id).delete(), id="by a query"),
        pytest.param(
            lambda squad: SquadOperations().delete_squad(squad.guild_id, squad.id),
            id="by the operation",
        ),
        pytest.param(
            lambda squad: current_client().execute_query(
                f"DELETE FROM squads WHERE id = '{squad.id}'"
            ),
            id="by SQL",
        ),
    ],
)
async def test_deleting_a_squad_removes_its_memberships_and_no_others(
    db: Database, ids: Ids, make_squad: MakeSquad, make_member: MakeMember, delete: Delete
) -> None:
    """Its memberships are deleted; other memberships and balances stay."""
    red, blue = await make_squad(name="Red"), await make_squad(name="Blue")
    elsewhere = await make_squad(ids.other_guild)
    await make_member(ids.alice)
    for guild, user, squad in (
        (ids.guild, ids.alice, red),
        (ids.guild, ids.bob, red),
        (ids.guild, ids.carol, blue),
        (ids.other_guild, ids.alice, elsewhere),
    ):
        await SquadMembership.create(guild_id=guild, user_id=user, squad=squad)

    await delete(red)

    left = await SquadMembership.all().order_by("guild_id").values_list("guild_id", "user_id")
    assert left == [(ids.guild, ids.carol), (ids.other_guild, ids.alice)]
    assert {squad.id for squad in await Squad.all()} == {blue.id, elsewhere.id}
    assert await count("bytes_balances") == 1


# The rules in the database itself -----------------------------------------------------------------

RULES = (
    pytest.param(
        "bytes_balances",
        {"balance": -1, "total_received": 1, "total_sent": 2},
        "ck_bytes_balances_balance",
        id="balance >= 0",
    ),
    pytest.param(
        "bytes_balances",
        {"balance": 0, "total_received": -1, "total_sent": -1},
        "ck_bytes_balances_total_received",
        id="total_received >= 0",
    ),
    pytest.param(
        "bytes_balances",
        {"balance": 5, "total_received": 4, "total_sent": -1},
        "ck_bytes_balances_total_sent",
        id="total_sent >= 0",
    ),
    pytest.param(
        "bytes_balances",
        {"streak_count": -1},
        "ck_bytes_balances_streak_count",
        id="streak_count >= 0",
    ),
    pytest.param(
        "bytes_balances",
        {"balance": 6, "total_received": 7, "total_sent": 2},
        "ck_bytes_balances_identity",
        id="balance = total_received - total_sent, one more",
    ),
    pytest.param(
        "bytes_balances",
        {"balance": 4, "total_received": 7, "total_sent": 2},
        "ck_bytes_balances_identity",
        id="balance = total_received - total_sent, one less",
    ),
    *(
        pytest.param(
            "bytes_transactions",
            {"amount": 0, "kind": kind, **REVERSES.get(kind, {})},
            "ck_bytes_transactions_amount",
            id=f"amount >= 1 where the kind is {kind}",
        )
        for kind in KINDS
        if kind not in FREE_KINDS
    ),
    pytest.param(
        "bytes_transactions",
        {"amount": -1, "kind": "daily"},
        "ck_bytes_transactions_amount",
        id="amount >= 0 where the kind is daily",
    ),
    pytest.param(
        "bytes_transactions",
        {"amount": -5},
        "ck_bytes_transactions_amount",
        id="amount >= 1, negative",
    ),
    pytest.param(
        "bytes_transactions",
        {"giver_id": "7", "receiver_id": "7"},
        "ck_bytes_transactions_parties",
        id="giver <> receiver",
    ),
    pytest.param(
        "bytes_transactions",
        {"giver_id": "SYSTEM", "receiver_id": "SYSTEM"},
        "ck_bytes_transactions_parties",
        id="giver <> receiver, SYSTEM",
    ),
    pytest.param(
        "bytes_transactions", {"kind": "gift"}, "ck_bytes_transactions_kind", id="kind, unknown"
    ),
    pytest.param(
        "bytes_transactions",
        {"kind": "Transfer"},
        "ck_bytes_transactions_kind",
        id="kind, in capitals",
    ),
    pytest.param("bytes_transactions", {"kind": ""}, "ck_bytes_transactions_kind", id="kind, none"),
    pytest.param(
        "bytes_transactions",
        {"kind": "reversal"},
        "ck_bytes_transactions_kind",
        id="a reversal of nothing",
    ),
    *(
        pytest.param(
            "bytes_transactions",
            {"kind": kind, "reverses_id": SQUAD_ID},
            "ck_bytes_transactions_kind",
            id=f"a {kind} that reverses",
        )
        for kind in KINDS
        if kind != "reversal"
    ),
    pytest.param(
        "bytes_configs",
        {"starting_balance": -1},
        "ck_bytes_configs_starting_balance",
        id="starting_balance >= 0",
    ),
    pytest.param(
        "bytes_configs",
        {"daily_amount": -1},
        "ck_bytes_configs_daily_amount",
        id="daily_amount >= 0",
    ),
    pytest.param(
        "bytes_configs",
        {"max_transfer": -1},
        "ck_bytes_configs_max_transfer",
        id="max_transfer >= 0",
    ),
    pytest.param(
        "bytes_configs",
        {"transfer_cooldown_hours": -1},
        "ck_bytes_configs_transfer_cooldown_hours",
        id="transfer_cooldown_hours >= 0",
    ),
    pytest.param(
        "bytes_configs",
        {"streak_grace_days": -1},
        "ck_bytes_configs_streak_grace_days",
        id="streak_grace_days >= 0",
    ),
    pytest.param("squads", {"switch_cost": -1}, "ck_squads_switch_cost", id="switch_cost >= 0"),
    pytest.param("squads", {"max_members": 0}, "ck_squads_max_members", id="max_members >= 1"),
    pytest.param(
        "squads", {"max_members": -1}, "ck_squads_max_members", id="max_members, negative"
    ),
)


@pytest.mark.parametrize(("table", "changes", "constraint"), RULES)
async def test_database_refuses_a_row_against_a_rule(
    db: Database, table: str, changes: Row, constraint: str
) -> None:
    """The database refuses each row, with the name of the rule."""
    error = await refused(insert(table, **changes))

    assert named(error, db.is_postgres) == constraint
    assert await count(table) == 0


@pytest.mark.parametrize(
    ("table", "changes", "constraint"),
    [param for param in RULES if param.values[0] != "bytes_transactions"],
)
async def test_database_refuses_to_change_a_row_against_a_rule(
    db: Database, table: str, changes: Row, constraint: str
) -> None:
    """An update to an invalid row is refused."""
    await insert(table)
    assignments = ", ".join(f'"{column}" = {value}' for column, value in changes.items())
    update = current_client().execute_query(f'UPDATE "{table}" SET {assignments}')

    assert named(await refused(update), db.is_postgres) == constraint


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        pytest.param(
            "bytes_balances",
            {"balance": 0, "total_received": 0, "total_sent": 0},
            id="nothing at all",
        ),
        pytest.param(
            "bytes_balances",
            {"balance": 0, "total_received": MAX_BYTES, "total_sent": MAX_BYTES},
            id="the largest totals",
        ),
        pytest.param("bytes_transactions", {"amount": 1}, id="one byte"),
        pytest.param("bytes_transactions", {"amount": MAX_BYTES}, id="the largest amount"),
        pytest.param(
            "bytes_configs",
            {
                "starting_balance": 0,
                "daily_amount": 0,
                "max_transfer": 0,
                "transfer_cooldown_hours": 0,
            },
            id="a config of zeros",
        ),
        pytest.param("squads", {"switch_cost": 0, "max_members": 1}, id="a free squad for one"),
        pytest.param("squads", {"max_members": None}, id="a squad without limit"),
        *(
            pytest.param(
                "bytes_transactions", {"kind": kind, **REVERSES.get(kind, {})}, id=f"kind {kind}"
            )
            for kind in KINDS
        ),
        *(
            pytest.param("bytes_transactions", {"kind": kind, "amount": 0}, id=f"{kind} of 0 bytes")
            for kind in FREE_KINDS
        ),
    ],
)
async def test_database_accepts_the_limits(db: Database, table: str, changes: Row) -> None:
    """The rules accept the limits of the contract."""
    await insert(table, **changes)

    assert await count(table) == 1


async def test_balance_equals_received_less_sent(db: Database, ids: Ids) -> None:
    """The database refuses a balance that differs from its totals."""
    with pytest.raises(IntegrityError, match="ck_bytes_balances_identity"):
        await BytesBalance.create(guild_id=ids.guild, user_id=ids.alice, balance=1)

    assert await BytesBalance.all().count() == 0


async def test_membership_is_in_a_squad_of_its_guild(db: Database) -> None:
    """The membership's foreign key includes the guild."""
    await insert("squads", guild_id=OTHER_GUILD)
    error = await refused(insert("squad_memberships", guild_id=GUILD))

    if db.is_postgres:
        assert error.constraint_name == "fk_squad_memberships_squad_id_squads"
    else:
        assert str(error) == "FOREIGN KEY constraint failed"
    assert await count("squad_memberships") == 0


async def test_membership_cannot_move_to_another_guild(db: Database) -> None:
    """Changing the guild of a membership, or of a squad with members, is refused as well."""
    await insert("squads")
    await insert("squad_memberships")
    client = current_client()

    for table in ("squad_memberships", "squads"):
        error = await refused(
            client.execute_query(f"UPDATE {table} SET guild_id = '{OTHER_GUILD}'")
        )
        assert getattr(error, "constraint_name", "fk_squad_memberships_squad_id_squads") == (
            "fk_squad_memberships_squad_id_squads"
        )
    assert await SquadMembership.all().values_list("guild_id") == [(GUILD,)]
    assert await Squad.all().values_list("guild_id") == [(GUILD,)]


async def test_membership_needs_a_squad(db: Database) -> None:
    """A membership in an unknown squad is refused."""
    error = await refused(insert("squad_memberships"))

    assert getattr(error, "constraint_name", "") in ("", "fk_squad_memberships_squad_id_squads")
    assert await count("squad_memberships") == 0


LENGTHS = (
    ("bytes_balances", "guild_id", 20),
    ("bytes_balances", "user_id", 20),
    ("bytes_transactions", "guild_id", 20),
    ("bytes_transactions", "giver_id", 20),
    ("bytes_transactions", "giver_username", 100),
    ("bytes_transactions", "receiver_id", 20),
    ("bytes_transactions", "receiver_username", 100),
    ("bytes_transactions", "reason", 200),
    ("bytes_transactions", "actor_id", 20),
    ("bytes_transactions", "idempotency_key", 100),
    ("bytes_configs", "guild_id", 20),
    ("squads", "guild_id", 20),
    ("squads", "role_id", 20),
    ("squads", "name", 100),
    ("squads", "description", 500),
    ("squad_memberships", "guild_id", 20),
    ("squad_memberships", "user_id", 20),
)


@pytest.mark.parametrize(("table", "column", "longest"), LENGTHS)
async def test_database_enforces_the_length_of_texts(
    db: Database, table: str, column: str, longest: int
) -> None:
    """A text of the greatest length is stored, one character more is refused, on SQLite as well."""
    if table == "squad_memberships":
        await insert("squads", **({"guild_id": "é" * longest} if column == "guild_id" else {}))
    error = await refused(insert(table, **{column: "é" * (longest + 1)}))
    await insert(table, **{column: "é" * longest})

    if db.is_postgres:
        assert error.sqlstate == "22001"  # string data right truncation
    else:
        assert named(error, db.is_postgres) == f"ck_{table}_lengths"
    assert await count(table) == 1


INTEGERS = (
    # Balances are chosen so that nothing but the type is wrong.
    pytest.param(
        "bytes_balances",
        {"balance": 0.5, "total_received": 0.5, "total_sent": 0},
        id="balance and total_received",
    ),
    pytest.param(
        "bytes_balances",
        {"balance": 0, "total_received": 0.5, "total_sent": 0.5},
        id="total_received and total_sent",
    ),
    pytest.param("bytes_balances", {"streak_count": 0.5}, id="streak_count"),
    pytest.param("bytes_balances", {"streak_count": "many"}, id="streak_count as text"),
    pytest.param(
        "bytes_balances",
        {"balance": 0, "total_received": "x", "total_sent": 0},
        id="total_received as text",
    ),
    pytest.param(
        "bytes_balances",
        {"balance": 1e19, "total_received": 1e19, "total_sent": 0},
        id="a sum that passed 2**63",
    ),
    pytest.param("bytes_transactions", {"amount": 1.5}, id="amount"),
    pytest.param("bytes_transactions", {"amount": "x"}, id="amount as text"),
    pytest.param("bytes_transactions", {"amount": 2**63}, id="amount of 2**63"),
    *(
        pytest.param("bytes_configs", {column: value}, id=f"{column} {value}")
        for column in (
            "starting_balance",
            "daily_amount",
            "max_transfer",
            "transfer_cooldown_hours",
        )
        for value in (0.5, "x", 2**63)
    ),
    pytest.param("squads", {"switch_cost": 0.5}, id="switch_cost"),
    pytest.param("squads", {"switch_cost": "x"}, id="switch_cost as text"),
    pytest.param("squads", {"max_members": 1.5}, id="max_members"),
    pytest.param("squads", {"max_members": "x"}, id="max_members as text"),
)


@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize(("table", "changes"), INTEGERS)
async def test_sqlite_refuses_a_value_that_is_not_an_integer(
    db: Database, table: str, changes: Row
) -> None:
    """A check refuses a float or a text in an integer column of SQLite."""
    error = await refused(insert(table, **changes))

    assert named(error, is_postgres=False) == f"ck_{table}_types"
    assert await count(table) == 0


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        ("bytes_balances", {"balance": 2**63, "total_received": 2**63, "total_sent": 0}),
        ("bytes_transactions", {"amount": 2**63}),
        ("bytes_configs", {"starting_balance": 2**63}),
        ("squads", {"switch_cost": 2**63}),
    ],
)
async def test_bytes_are_64_bit_integers(db: Database, table: str, changes: Row) -> None:
    """An amount that passes 2**63 - 1 is refused, not rounded."""
    await refused(insert(table, **changes))

    assert await count(table) == 0
