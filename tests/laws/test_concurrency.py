"""Concurrent operations: each rule holds for any order of clicks."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from helpers import (
    ALICE,
    BOB,
    CAROL,
    GUILD,
    Clock,
    Database,
    MakeConfig,
    MakeMember,
    MakeSquad,
    make_transfer,
)
from helpers.citus import ON_CITUS

import bytes_squads
from bytes_squads import (
    AlreadyInSquadError,
    BytesBalance,
    BytesConfig,
    BytesConfigUpdate,
    BytesOperations,
    BytesTransaction,
    DailyAlreadyClaimedError,
    IdempotencyConflictError,
    InsufficientBalanceError,
    SquadFullError,
    SquadMembership,
    SquadNotFoundError,
    SquadOperations,
    SquadUpdate,
    TransferCooldownError,
)
from bytes_squads.domain.errors import StorageError
from bytes_squads.engine import driver_errors

Check = Callable[[], Awaitable[None]]


async def run_concurrently(work: Iterable[Awaitable[Any]]) -> Counter[str]:
    """Run all of it concurrently and count the results by type."""
    answers = await asyncio.gather(*work, return_exceptions=True)
    return Counter(type(answer).__name__ for answer in answers)


@pytest.fixture
def deadlocks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The deadlocks that the package has retried."""
    met: list[str] = []

    translate = driver_errors.translate_postgres

    def noting(error: BaseException) -> StorageError:
        if "deadlock" in str(error):
            met.append(f"{error}: {getattr(error, 'detail', None)}")
        return translate(error)

    monkeypatch.setattr(driver_errors, "translate_postgres", noting)
    return met


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
async def test_claim_daily_fifty_at_once_pay_once(
    bytes_ops: BytesOperations, assert_ledger_consistent: Check, known: bool
) -> None:
    """Of fifty simultaneous daily claims of a member one pays."""
    if known:
        await bytes_ops.get_balance(GUILD, ALICE)
    outcome = await run_concurrently(bytes_ops.claim_daily(GUILD, ALICE) for _ in range(50))
    await assert_ledger_consistent()
    assert outcome == {"DailyClaim": 1, DailyAlreadyClaimedError.__name__: 49}
    assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 110


async def test_join_squad_forty_at_once_fill_five_places(
    squad_ops: SquadOperations, make_squad: MakeSquad, assert_ledger_consistent: Check
) -> None:
    """Of forty concurrent joins of a squad with five seats, five succeed and pay."""
    squad = await make_squad(max_members=5)
    outcome = await run_concurrently(
        squad_ops.join_squad(GUILD, user, squad.id) for user in range(1, 41)
    )
    await assert_ledger_consistent()
    assert outcome == {"SquadMembership": 5, SquadFullError.__name__: 35}
    assert len(await squad_ops.get_squad_members(GUILD, squad.id)) == 5
    # Only those who got in exist, with 100 - 50 bytes.
    assert await BytesBalance.all().values_list("balance", flat=True) == [50] * 5


async def test_create_transaction_thirty_at_once_spend_a_balance_once(
    bytes_ops: BytesOperations, make_member: MakeMember, assert_ledger_consistent: Check
) -> None:
    """Of thirty concurrent transfers of 30 out of 100, three succeed."""
    await make_member(ALICE, 100)
    outcome = await run_concurrently(
        bytes_ops.create_transaction(make_transfer(ALICE, BOB, 30)) for _ in range(30)
    )
    await assert_ledger_consistent()
    assert outcome == {"BytesTransaction": 3, InsufficientBalanceError.__name__: 27}
    assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 10


async def test_create_transaction_in_both_directions_never_deadlocks(
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    deadlocks: list[str],
    assert_ledger_consistent: Check,
) -> None:
    """Concurrent transfers between two members in both directions wait and never deadlock."""
    await make_member(ALICE, 1000)
    await make_member(BOB, 1000)
    pairs = [(ALICE, BOB), (BOB, ALICE)] * 100
    outcome = await run_concurrently(
        bytes_ops.create_transaction(make_transfer(*pair)) for pair in pairs
    )
    await assert_ledger_consistent()
    assert outcome == {"BytesTransaction": 200}
    assert deadlocks == []


async def test_create_transaction_among_many_members_never_deadlocks(
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    deadlocks: list[str],
    assert_ledger_consistent: Check,
) -> None:
    """Random transfers among eight members all end, without one deadlock, and keep the total."""
    members = [str(number) for number in range(1, 9)]
    for member in members:
        await make_member(member, 100)
    chance = random.Random(7)
    outcome = await run_concurrently(
        bytes_ops.create_transaction(
            make_transfer(*chance.sample(members, 2), chance.randint(1, 40))
        )
        for _ in range(300)
    )
    await assert_ledger_consistent()
    assert sum(outcome.values()) == 300
    assert set(outcome) <= {"BytesTransaction", InsufficientBalanceError.__name__}
    assert sum(await BytesBalance.all().values_list("balance", flat=True)) == 800
    assert deadlocks == []


@pytest.mark.postgres
@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
async def test_create_transaction_cooldown_holds_for_transfers_that_waited(
    db: Database,
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    make_member: MakeMember,
    known: bool,
) -> None:
    """A transfer that waited for the giver's row reads the cooldown of the one before it."""
    await make_config(transfer_cooldown_hours=1)
    await make_member(ALICE, 100)
    if known:
        await bytes_ops.grant_many(GUILD, dict.fromkeys(range(1, 6), 1))
    somebody = await asyncpg.connect(db.url)
    try:
        lock = somebody.transaction()
        await lock.start()
        lock_row = "SELECT 1 FROM bytes_balances WHERE guild_id = $1 AND user_id = $2 FOR UPDATE"
        await somebody.execute(lock_row, GUILD, ALICE)
        waiting = asyncio.create_task(
            run_concurrently(
                bytes_ops.create_transaction(make_transfer(ALICE, receiver))
                for receiver in map(str, range(1, 6))
            )
        )
        await asyncio.sleep(0.3)
        await lock.rollback()
    finally:
        await somebody.close()
    assert await waiting == {"BytesTransaction": 1, TransferCooldownError.__name__: 4}


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
async def test_create_transaction_cooldown_admits_one_of_ten(
    bytes_ops: BytesOperations, make_config: MakeConfig, make_member: MakeMember, known: bool
) -> None:
    """With a cooldown, one of ten concurrent transfers of a giver succeeds."""
    await make_config(transfer_cooldown_hours=1)
    await make_member(ALICE, 100)
    if known:
        await bytes_ops.grant_many(GUILD, dict.fromkeys(range(1, 11), 1))
    outcome = await run_concurrently(
        bytes_ops.create_transaction(make_transfer(ALICE, receiver))
        for receiver in map(str, range(1, 11))
    )
    assert outcome == {"BytesTransaction": 1, TransferCooldownError.__name__: 9}


@pytest.mark.postgres
async def test_create_transaction_creates_members_before_it_locks_rows(
    db: Database, bytes_ops: BytesOperations, make_config: MakeConfig, make_member: MakeMember
) -> None:
    """A transfer that waits for a new member's row has not locked the other party's row."""
    await make_config()
    await make_member(ALICE, 100)
    async with _two_others(db) as (somebody, watcher):
        transaction = somebody.transaction()
        await transaction.start()
        await somebody.execute(
            "INSERT INTO bytes_balances (guild_id, user_id, balance, total_received, total_sent,"
            " streak_count, created_at, updated_at) VALUES ($1, $2, 0, 0, 0, 0, now(), now())",
            GUILD,
            BOB,
        )
        waiting = asyncio.create_task(bytes_ops.create_transaction(make_transfer()))
        await _somebody_waits(watcher)
        locked = await somebody.fetchval(
            "SELECT 1 FROM bytes_balances WHERE guild_id = $1 AND user_id = $2 FOR UPDATE NOWAIT",
            GUILD,
            ALICE,
        )
        await transaction.rollback()
        await waiting
    assert locked == 1


@pytest.mark.postgres
async def test_grant_many_waits_for_locked_rows(
    db: Database, bytes_ops: BytesOperations, make_config: MakeConfig, make_member: MakeMember
) -> None:
    """A mass grant that waited for a row adds to its latest balance."""
    await make_config()
    await make_member(ALICE, 100)
    async with _two_others(db) as (somebody, watcher):
        change = somebody.transaction()
        await change.start()
        await somebody.execute("UPDATE bytes_balances SET balance = 90, total_sent = 10")
        waiting = asyncio.create_task(bytes_ops.grant_many(GUILD, {ALICE: 5}))
        await _somebody_waits(watcher)
        await change.commit()
        await waiting
    alice = await bytes_ops.get_balance(GUILD, ALICE)
    assert (alice.balance, alice.total_received, alice.total_sent) == (95, 105, 10)


@pytest.mark.postgres
async def test_claim_daily_reads_the_date_after_it_waited(
    db: Database,
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    make_member: MakeMember,
    clock: Clock,
) -> None:
    """A claim that waited for the row reads the latest date of claim."""
    await make_config()
    await make_member(ALICE, 100)
    async with _two_others(db) as (somebody, watcher):
        claim = somebody.transaction()
        await claim.start()
        today = clock.now.date()
        await somebody.execute("UPDATE bytes_balances SET last_daily = $1, streak_count = 1", today)
        waiting = asyncio.create_task(bytes_ops.claim_daily(GUILD, ALICE))
        await _somebody_waits(watcher)
        await claim.commit()
        with pytest.raises(DailyAlreadyClaimedError):
            await waiting
    assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 100


@asynccontextmanager
async def _two_others(
    db: Database,
) -> AsyncIterator[tuple[asyncpg.Connection, asyncpg.Connection]]:
    """Two connections beside the package's."""
    one, other = await asyncpg.connect(db.url), await asyncpg.connect(db.url)
    try:
        yield one, other
    finally:
        await one.close()
        await other.close()


async def _somebody_waits(watcher: asyncpg.Connection) -> None:
    count = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND datname = current_database()"
    )
    if ON_CITUS:  # it is a worker's process that waits
        count = f"SELECT sum(result::int) FROM run_command_on_workers($${count}$$)"
    async with asyncio.timeout(20):
        while not await watcher.fetchval(count):  # noqa: ASYNC110  # a server sets no Event
            await asyncio.sleep(0.02)


async def test_get_balance_and_others_create_a_member_once(
    bytes_ops: BytesOperations, assert_ledger_consistent: Check
) -> None:
    """Forty concurrent operations on a new member pay one starting balance."""
    await asyncio.gather(
        *(bytes_ops.get_balance(GUILD, ALICE) for _ in range(20)),
        *(bytes_ops.grant(GUILD, ALICE, 1) for _ in range(10)),
        *(bytes_ops.create_transaction(make_transfer(BOB, ALICE)) for _ in range(10)),
    )
    await assert_ledger_consistent()
    assert await BytesTransaction.filter(kind="starting", receiver_id=ALICE).count() == 1
    assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 120


async def test_create_transaction_between_new_members_creates_both_once(
    bytes_ops: BytesOperations, assert_ledger_consistent: Check
) -> None:
    """Concurrent transfers between new members create each member once."""
    pairs = [(ALICE, BOB), (BOB, ALICE), (CAROL, ALICE), (BOB, CAROL)] * 5
    outcome = await run_concurrently(
        bytes_ops.create_transaction(make_transfer(*pair)) for pair in pairs
    )
    await assert_ledger_consistent()
    assert outcome == {"BytesTransaction": 20}


async def test_update_config_makes_one_row(bytes_ops: BytesOperations) -> None:
    """Twenty first changes of a guild's config at once make one row."""
    change = BytesConfigUpdate(daily_amount=3)
    await asyncio.gather(*(bytes_ops.update_config(GUILD, change) for _ in range(20)))
    assert await BytesConfig.all().count() == 1


async def test_update_config_at_once_keeps_every_change(bytes_ops: BytesOperations) -> None:
    """Different fields changed at once are all changed."""
    await asyncio.gather(
        bytes_ops.update_config(GUILD, BytesConfigUpdate(daily_amount=1)),
        bytes_ops.update_config(GUILD, BytesConfigUpdate(max_transfer=2)),
        bytes_ops.update_config(GUILD, BytesConfigUpdate(starting_balance=3)),
    )
    config = await bytes_ops.get_config(GUILD)
    assert (config.daily_amount, config.max_transfer, config.starting_balance) == (1, 2, 3)


async def test_create_transaction_with_one_key_moves_bytes_once(
    bytes_ops: BytesOperations, make_member: MakeMember, assert_ledger_consistent: Check
) -> None:
    """Twenty concurrent deliveries of one interaction write one ledger row."""
    await make_member(ALICE, 100)
    order = make_transfer(ALICE, BOB, 60, idempotency_key="interaction")
    answers = await asyncio.gather(*(bytes_ops.create_transaction(order) for _ in range(20)))
    await assert_ledger_consistent()
    assert len({answer.id for answer in answers}) == 1
    assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 40


@pytest.mark.parametrize("daily_amount", [10, 0], ids=["paid", "unpaid"])
async def test_claim_daily_with_one_key_pays_once(
    daily_amount: int, bytes_ops: BytesOperations, make_config: MakeConfig
) -> None:
    """Twenty concurrent deliveries of one claim pay once and return the same result."""
    await make_config(daily_amount=daily_amount)
    answers = await asyncio.gather(
        *(bytes_ops.claim_daily(GUILD, ALICE, idempotency_key="interaction") for _ in range(20))
    )
    assert answers == [answers[0]] * 20
    assert answers[0].balance == 100 + daily_amount


@pytest.mark.parametrize("cost", [50, 0], ids=["paid", "free"])
async def test_join_squad_with_one_key_joins_once(
    cost: int, squad_ops: SquadOperations, make_squad: MakeSquad, assert_ledger_consistent: Check
) -> None:
    """Twenty concurrent deliveries of one join return the same membership."""
    squad = await make_squad(switch_cost=cost)
    answers = await asyncio.gather(
        *(squad_ops.join_squad(GUILD, ALICE, squad.id, idempotency_key="click") for _ in range(20))
    )
    await assert_ledger_consistent()
    assert {answer.squad_id for answer in answers} == {squad.id}
    assert await SquadMembership.all().count() == 1
    assert await BytesTransaction.filter(kind="squad").count() == 1


async def test_grant_with_one_key_for_two_amounts_admits_one(
    bytes_ops: BytesOperations, assert_ledger_consistent: Check
) -> None:
    """Of two different concurrent requests with one key, one succeeds and one conflicts."""
    outcome = await run_concurrently(
        bytes_ops.grant(GUILD, ALICE, amount, idempotency_key="interaction") for amount in (1, 2)
    )
    await assert_ledger_consistent()
    assert outcome == {"BytesTransaction": 1, IdempotencyConflictError.__name__: 1}


async def test_join_squad_at_once_leaves_a_member_in_one_squad(
    squad_ops: SquadOperations, make_squad: MakeSquad, assert_ledger_consistent: Check
) -> None:
    """A member who joins ten squads at once is in one and has paid for one."""
    squads = [await make_squad(name=str(number)) for number in range(10)]
    outcome = await run_concurrently(
        squad_ops.join_squad(GUILD, ALICE, squad.id) for squad in squads
    )
    await assert_ledger_consistent()
    assert outcome == {"SquadMembership": 1, AlreadyInSquadError.__name__: 9}
    assert (await BytesBalance.get(user_id=ALICE)).balance == 50


async def test_switch_squad_never_overfills(
    squad_ops: SquadOperations, make_squad: MakeSquad, assert_ledger_consistent: Check
) -> None:
    """Members who switch and join into the same squad at once fill it to its last place."""
    home = await make_squad(name="Home", switch_cost=0)
    target = await make_squad(name="Target", switch_cost=1, max_members=5)
    for user in range(1, 21):
        await squad_ops.join_squad(GUILD, user, home.id)
    outcome = await run_concurrently(
        [squad_ops.switch_squad(GUILD, user, target.id) for user in range(1, 21)]
        + [squad_ops.join_squad(GUILD, user, target.id) for user in range(21, 41)]
    )
    await assert_ledger_consistent()
    assert outcome == {"SquadMembership": 5, SquadFullError.__name__: 35}
    assert await SquadMembership.filter(squad_id=target.id).count() == 5


async def test_switch_squad_in_both_directions_never_deadlocks(
    squad_ops: SquadOperations, make_squad: MakeSquad, deadlocks: list[str]
) -> None:
    """Members who switch between two squads in both directions at once all arrive."""
    red, blue = [await make_squad(name=name, switch_cost=1) for name in ("Red", "Blue")]
    for user in range(1, 21):
        await squad_ops.join_squad(GUILD, user, (red if user % 2 else blue).id)
    outcome = await run_concurrently(
        squad_ops.switch_squad(GUILD, user, (blue if user % 2 else red).id) for user in range(1, 21)
    )
    assert outcome == {"SquadMembership": 20}
    assert deadlocks == []


async def test_join_squad_during_delete_squad_joins_or_is_refused(
    squad_ops: SquadOperations, make_squad: MakeSquad, assert_ledger_consistent: Check
) -> None:
    """A concurrent join is before the deletion, or ends in SquadNotFoundError."""
    squad = await make_squad()
    outcome = await run_concurrently(
        [squad_ops.join_squad(GUILD, user, squad.id) for user in range(1, 11)]
        + [squad_ops.delete_squad(GUILD, squad.id)]
        + [squad_ops.join_squad(GUILD, user, squad.id) for user in range(11, 21)]
    )
    await assert_ledger_consistent()
    assert set(outcome) <= {"NoneType", "SquadMembership", SquadNotFoundError.__name__}
    assert await SquadMembership.all().count() == 0


async def test_join_squad_after_update_squad_made_it_inactive_is_refused(
    squad_ops: SquadOperations, make_squad: MakeSquad
) -> None:
    """After a concurrent change that closes the squad, joins are refused."""
    squad = await make_squad(switch_cost=0)
    await run_concurrently(
        [squad_ops.join_squad(GUILD, user, squad.id) for user in range(1, 11)]
        + [squad_ops.update_squad(GUILD, squad.id, SquadUpdate(is_active=False))]
    )
    seated = await SquadMembership.all().count()
    await run_concurrently(squad_ops.join_squad(GUILD, user, squad.id) for user in range(11, 21))
    assert await SquadMembership.all().count() == seated


async def test_grant_many_and_create_transaction_never_deadlock(
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    deadlocks: list[str],
    assert_ledger_consistent: Check,
) -> None:
    """Concurrent mass grants and transfers of the same members never deadlock."""
    members = [str(number) for number in range(1, 21)]
    for member in members:
        await make_member(member, 100)
    chance = random.Random(11)
    outcome = await run_concurrently(
        [bytes_ops.grant_many(GUILD, dict.fromkeys(members, 5)) for _ in range(10)]
        + [
            bytes_ops.create_transaction(make_transfer(*chance.sample(members, 2), 1))
            for _ in range(100)
        ]
    )
    await assert_ledger_consistent()
    assert outcome == {"int": 10, "BytesTransaction": 100}
    assert deadlocks == []


PROCESS = """
    import asyncio, sys
    import bytes_squads
    from bytes_squads import BytesOperations, BytesTransactionCreate

    async def main(url, giver, receiver, count):
        await bytes_squads.init(url)
        operations = BytesOperations()
        for _ in range(count):
            await operations.create_transaction(
                BytesTransactionCreate(
                    guild_id=1, giver_id=giver, giver_username="", receiver_id=receiver,
                    receiver_username="", amount=1,
                )
            )
        await bytes_squads.close()

    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
"""


async def test_create_transaction_in_several_processes_applies_all(migrated_url: str) -> None:
    """Three processes of 300 transfers each on one database: every one applied, none refused."""
    await bytes_squads.init(migrated_url)
    operations = BytesOperations()
    # Enough for every giver, also if the one before is slower.
    await operations.update_config("1", BytesConfigUpdate(starting_balance=1000))
    await bytes_squads.close()
    routes = [("11", "12"), ("12", "13"), ("13", "11")]
    processes = [
        subprocess.Popen(  # noqa: ASYNC220  # they are awaited in threads
            [sys.executable, "-c", textwrap.dedent(PROCESS), migrated_url, *route, "300"],
            stderr=subprocess.PIPE,
            text=True,
        )
        for route in routes
    ]
    outcomes = await asyncio.gather(
        *(asyncio.to_thread(process.communicate) for process in processes)
    )
    assert [errors for _, errors in outcomes] == ["", "", ""]
    await bytes_squads.init(migrated_url)
    report = await operations.verify()
    transfers = await BytesTransaction.filter(kind="transfer").count()
    balances = await BytesBalance.all().values_list("balance", flat=True)
    await bytes_squads.close()
    assert report.ok
    assert (transfers, balances) == (900, [1000, 1000, 1000])
