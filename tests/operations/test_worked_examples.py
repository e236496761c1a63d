"""Worked examples: stories of a guild, with the sums in comments."""

from __future__ import annotations

from datetime import UTC, date, datetime

from helpers import Clock, Ids, make_transfer
from helpers.assertions import Check, ReadRows, assert_refused

from bytes_squads import (
    BytesConfigUpdate,
    BytesOperations,
    BytesTransaction,
    BytesTransactionCreate,
    DailyAlreadyClaimedError,
    InsufficientBalanceError,
    SquadCreate,
    SquadFullError,
    SquadOperations,
    SquadUpdate,
    TransferCooldownError,
    TransferLimitError,
)


def thanks(ids: Ids, giver: str, receiver: str, amount: int) -> BytesTransactionCreate:
    """Transfer some bytes."""
    return make_transfer(giver, receiver, amount, reason="thank you")


async def test_claim_daily_story_of_a_first_week(
    bytes_ops: BytesOperations,
    ids: Ids,
    clock: Clock,
    read_all_rows: ReadRows,
    assert_ledger_consistent: Check,
) -> None:
    """Alice arrives on Monday and claims every day; on the eighth day the pay doubles."""
    # Monday, 2 March. Alice looks at her balance: the guild gives her 100 to start with.
    alice = await bytes_ops.get_balance(ids.guild, ids.alice, "alice")
    assert alice.balance == 100

    # Monday to Sunday: seven claims of 10 each, the streak grows from 1 to 7.
    seen = []
    for _ in range(7):
        claim = await bytes_ops.claim_daily(ids.guild, ids.alice, "alice")
        seen.append((claim.streak, claim.amount, claim.balance))
        clock.advance(days=1)
    assert seen == [(n, 10, 100 + 10 * n) for n in range(1, 8)]  # 170 on Sunday

    # Monday again, the eighth day: 10 × 2.
    claim = await bytes_ops.claim_daily(ids.guild, ids.alice, "alice")
    assert (claim.streak, claim.multiplier, claim.amount, claim.balance) == (8, 2, 20, 190)

    # She tries once more in the evening; there is nothing until midnight.
    clock.advance(hours=11)
    midnight = datetime(2026, 3, 10, tzinfo=UTC)
    async with assert_refused(DailyAlreadyClaimedError, read_all_rows, next_claim_at=midnight):
        await bytes_ops.claim_daily(ids.guild, ids.alice, "alice")

    # She misses Tuesday. On Wednesday the streak restarts: 190 + 10.
    clock.advance(days=2)
    claim = await bytes_ops.claim_daily(ids.guild, ids.alice, "alice")
    assert (claim.streak, claim.amount, claim.balance) == (1, 10, 200)

    # The ledger tells it all: the start, seven times 10, once 20, once 10.
    history = await bytes_ops.get_transaction_history(ids.guild, ids.alice)
    assert sum(row.amount for row in history) == 100 + 7 * 10 + 20 + 10
    assert len(history) == 10
    await assert_ledger_consistent()


async def test_create_transaction_story_of_a_circle_of_transfers(
    bytes_ops: BytesOperations,
    ids: Ids,
    clock: Clock,
    read_all_rows: ReadRows,
    assert_ledger_consistent: Check,
) -> None:
    """Alice pays Bob, Bob pays Carol, Carol pays Alice; the sum stays."""
    # At most 200 at once, and an hour between a giver's transfers.
    await bytes_ops.update_config(
        ids.guild, BytesConfigUpdate(max_transfer=200, transfer_cooldown_hours=1)
    )

    # Nobody has a balance yet; each begins with 100 when first met.
    await bytes_ops.create_transaction(thanks(ids, ids.alice, ids.bob, 40))  # 60, 140
    await bytes_ops.create_transaction(thanks(ids, ids.bob, ids.carol, 140))  # 0, 240
    await bytes_ops.create_transaction(thanks(ids, ids.carol, ids.alice, 200))  # 40, 260

    # Carol has 40 left and would give 30 more: not within the hour, to any receiver.
    noon = clock.now
    clock.advance(minutes=30)
    async with assert_refused(
        TransferCooldownError, read_all_rows, available_at=noon.replace(hour=13)
    ):
        await bytes_ops.create_transaction(thanks(ids, ids.carol, ids.bob, 30))

    # An hour later Alice is too generous twice, then finds the limit.
    clock.advance(minutes=30)
    async with assert_refused(TransferLimitError, read_all_rows, amount=260, max_transfer=200):
        await bytes_ops.create_transaction(thanks(ids, ids.alice, ids.bob, 260))
    async with assert_refused(InsufficientBalanceError, read_all_rows, balance=0, required=1):
        await bytes_ops.create_transaction(thanks(ids, ids.bob, ids.alice, 1))
    await bytes_ops.create_transaction(thanks(ids, ids.alice, ids.bob, 200))  # 60, 200
    await bytes_ops.create_transaction(thanks(ids, ids.carol, ids.bob, 30))  # 10, 230

    # 60 + 230 + 10 = 300 = 3 × 100.
    board = await bytes_ops.get_leaderboard(ids.guild)
    assert [(entry.rank, entry.user_id, entry.balance) for entry in board] == [
        (1, ids.bob, 230),
        (2, ids.alice, 60),
        (3, ids.carol, 10),
    ]
    await assert_ledger_consistent()


async def test_squad_story_of_a_season(
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    ids: Ids,
    clock: Clock,
    read_all_rows: ReadRows,
    assert_ledger_consistent: Check,
) -> None:
    """Two squads, three members, fees, a change of sides, and standings at the end."""
    # Foxes cost 50 and take two; Owls cost 20.
    foxes = await squad_ops.create_squad(
        SquadCreate(guild_id=ids.guild, role_id="301", name="Foxes", max_members=2)
    )
    owls = await squad_ops.create_squad(
        SquadCreate(guild_id=ids.guild, role_id="302", name="Owls", switch_cost=20)
    )

    # Alice and Bob join the Foxes, each for 50 of the 100 they begin with. The Foxes are full.
    await squad_ops.join_squad(ids.guild, ids.alice, foxes.id)  # 50
    await squad_ops.join_squad(ids.guild, ids.bob, foxes.id)  # 50
    async with assert_refused(SquadFullError, read_all_rows, squad_id=foxes.id, max_members=2):
        await squad_ops.join_squad(ids.guild, ids.carol, foxes.id)
    await squad_ops.join_squad(ids.guild, ids.carol, owls.id)  # 100 − 20 = 80

    # Mid-season: Foxes 50 + 50 = 100, Owls 80.
    standings = await squad_ops.get_squad_leaderboard(ids.guild)
    assert [(row.squad.name, row.member_count, row.total_balance) for row in standings] == [
        ("Foxes", 2, 100),
        ("Owls", 1, 80),
    ]

    # Bob changes sides for 20: Foxes 50, Owls 80 + 30 = 110.
    clock.advance(days=7)
    membership = await squad_ops.switch_squad(ids.guild, ids.bob, owls.id)
    assert (membership.squad_id, membership.joined_at) == (owls.id, clock.now)

    # He regrets it. The Foxes have room, but cost 50, and he has 30.
    async with assert_refused(InsufficientBalanceError, read_all_rows, balance=30, required=50):
        await squad_ops.switch_squad(ids.guild, ids.bob, foxes.id)

    # Carol leaves, free of charge: her 80 no longer count. Owls 30.
    await squad_ops.leave_squad(ids.guild, ids.carol)
    standings = await squad_ops.get_squad_leaderboard(ids.guild)
    assert [(row.rank, row.squad.name, row.total_balance) for row in standings] == [
        (1, "Foxes", 50),
        (2, "Owls", 30),
    ]

    # The season ends: each Fox gets 500, and the squad takes no members any more.
    prize = {row.user_id: 500 for row in await squad_ops.get_squad_members(ids.guild, foxes.id)}
    assert await bytes_ops.grant_many(ids.guild, prize, reason="season won") == 1
    for squad in (foxes, owls):
        await squad_ops.update_squad(ids.guild, squad.id, SquadUpdate(is_active=False))
    assert await squad_ops.get_squad_leaderboard(ids.guild) == []

    # The fees are in the ledger: 50 + 50 + 20 + 20 went to SYSTEM.
    fees = await BytesTransaction.filter(kind="squad", receiver_id="SYSTEM")
    assert sum(row.amount for row in fees) == 140
    alice = await bytes_ops.get_rank(ids.guild, ids.alice)
    assert alice is not None
    assert (alice.rank, alice.balance) == (1, 550)  # 100 − 50 + 500
    await assert_ledger_consistent()


async def test_grant_many_story_of_a_payout_repeated_with_its_key(
    bytes_ops: BytesOperations,
    ids: Ids,
    clock: Clock,
    read_all_rows: ReadRows,
    assert_ledger_consistent: Check,
) -> None:
    """The host pays the winners, and repeats the request with the same key."""
    # Who has received 1,000 in all is a Veteran (301), who has received 150 a Regular (302).
    await bytes_ops.update_config(
        ids.guild, BytesConfigUpdate(role_rewards={"301": 1000, "302": 150})
    )
    await bytes_ops.get_balance(ids.guild, ids.alice)  # Alice was here before, with 100

    # First place 900, second 50, third 49; Bob and Carol are new and begin with 100.
    prizes = {ids.alice: 900, ids.bob: 50, ids.carol: 49}
    for _ in range(3):  # the host's connection is bad today
        paid = await bytes_ops.grant_many(
            ids.guild, prizes, reason="quiz night", actor_id=ids.bob, idempotency_key="quiz 7"
        )
        assert paid == 3
        clock.advance(minutes=1)

    # 100 + 900, 100 + 50, 100 + 49: once each.
    board = await bytes_ops.get_leaderboard(ids.guild)
    assert [entry.balance for entry in board] == [1000, 150, 149]
    assert await bytes_ops.get_earned_roles(ids.guild, ids.alice) == {"301", "302"}
    assert await bytes_ops.get_earned_roles(ids.guild, ids.bob) == {"302"}
    assert await bytes_ops.get_earned_roles(ids.guild, ids.carol) == set()

    # Alice was seen looking answers up: her prize is taken back, as far as it can be.
    await bytes_ops.create_transaction(thanks(ids, ids.alice, ids.carol, 200))  # 800 left
    async with assert_refused(InsufficientBalanceError, read_all_rows, balance=800, required=900):
        await bytes_ops.charge(ids.guild, ids.alice, 900, reason="quiz 7 revoked")
    await bytes_ops.charge(ids.guild, ids.alice, 800, reason="quiz 7 revoked")

    # She has nothing, and stays a Veteran: what she received, she received.
    alice = await bytes_ops.get_balance(ids.guild, ids.alice)
    assert (alice.balance, alice.total_received, alice.total_sent) == (0, 1000, 1000)
    assert await bytes_ops.get_earned_roles(ids.guild, ids.alice) == {"301", "302"}
    # Carol has received 100 + 49 + 200 = 349 and is a Regular now.
    assert await bytes_ops.get_earned_roles(ids.guild, ids.carol) == {"302"}
    await assert_ledger_consistent()


async def test_claim_daily_story_of_a_streak_over_the_end_of_february(
    bytes_ops: BytesOperations, ids: Ids, clock: Clock, assert_ledger_consistent: Check
) -> None:
    """Bob's streak goes on over the end of February, and ends after a missed day in March."""
    # Three days in a row double the pay here, and newcomers begin with nothing.
    await bytes_ops.update_config(
        ids.guild, BytesConfigUpdate(starting_balance=0, streak_bonuses={3: 2})
    )
    story = [
        # date of March or February 2026 (28 days), streak, pay, balance
        (date(2026, 2, 26), 1, 10, 10),
        (date(2026, 2, 27), 2, 10, 20),
        (date(2026, 2, 28), 3, 20, 40),  # the third day: 10 × 2
        (date(2026, 3, 1), 4, 20, 60),  # the day after 28 February 2026
        (date(2026, 3, 3), 1, 10, 70),  # 2 March was missed
        (date(2026, 3, 4), 2, 10, 80),
        (date(2026, 3, 5), 3, 20, 100),
    ]
    for day, streak, pay, balance in story:
        clock.now = datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC)
        claim = await bytes_ops.claim_daily(ids.guild, ids.bob, "bob")
        assert (claim.claimed_on, claim.streak) == (day, streak)
        assert (claim.amount, claim.balance) == (pay, balance)
    # 4 × 10 + 3 × 20 = 100, in seven rows after the starting row of 0 bytes
    history = await bytes_ops.get_transaction_history(ids.guild, ids.bob)
    assert [row.amount for row in reversed(history)] == [0, *(pay for _, _, pay, _ in story)]
    await assert_ledger_consistent()
