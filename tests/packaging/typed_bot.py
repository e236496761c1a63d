"""A user's script for type checkers; `test_types` runs mypy and pyright on it."""

from datetime import UTC, date, datetime
from typing import assert_type
from uuid import UUID

from bytes_squads import (
    AlreadyReversedError,
    BytesBalance,
    BytesConfig,
    BytesConfigUpdate,
    BytesOperations,
    BytesSquadsError,
    BytesTransaction,
    BytesTransactionCreate,
    DailyAlreadyClaimedError,
    DailyClaim,
    InsufficientBalanceError,
    InvalidInputError,
    LeaderboardEntry,
    LedgerReport,
    RefusedError,
    Squad,
    SquadCreate,
    SquadFullError,
    SquadMembership,
    SquadOperations,
    SquadStanding,
    SquadSummary,
    SquadUpdate,
    TransferCooldownError,
    in_transaction,
    init,
    upgrade,
)

GUILD, ADA, BO = 1, 10, "20"

ops = BytesOperations()
squads = SquadOperations(clock=lambda: datetime.now(UTC))


async def bytes_of_members() -> None:
    member = await ops.get_balance(GUILD, ADA, "ada")
    assert_type(member, BytesBalance)
    assert_type(member.balance, int)
    assert_type(member.total_received, int)
    assert_type(member.total_sent, int)
    assert_type(member.streak_count, int)
    assert_type(member.guild_id, str)
    assert_type(member.last_daily, date | None)
    assert_type(member.updated_at, datetime)

    row = await ops.create_transaction(
        BytesTransactionCreate(
            guild_id=GUILD,
            giver_id=ADA,
            giver_username="ada",
            receiver_id=BO,
            receiver_username="bo",
            amount=5,
            reason="thanks",
        )
    )
    assert_type(row, BytesTransaction)
    assert_type(row.id, UUID)
    assert_type(row.amount, int)
    assert_type(row.reason, str | None)
    assert_type(row.created_at, datetime)
    assert_type(await ops.grant(GUILD, ADA, 5, actor_id=BO), BytesTransaction)
    assert_type(await ops.charge(GUILD, ADA, 5, reason="a hat"), BytesTransaction)
    assert_type(await ops.grant_many(GUILD, {ADA: 1}), int)

    claim = await ops.claim_daily(GUILD, ADA, idempotency_key=7)
    assert_type(claim, DailyClaim)
    assert_type(claim.amount, int)
    assert_type(claim.balance, int)
    assert_type(claim.claimed_on, date)
    assert_type(claim.transaction_id, UUID)


async def reads() -> None:
    leaders = await ops.get_leaderboard(GUILD, 10, offset=10)
    assert_type(leaders, list[LeaderboardEntry])
    assert_type(leaders[0].balance, int)
    assert_type(await ops.get_rank(GUILD, ADA), LeaderboardEntry | None)
    history = await ops.get_transaction_history(GUILD, ADA)
    assert_type(history, list[BytesTransaction])
    assert_type(sum(row.amount for row in history), int)
    assert_type(await ops.get_earned_roles(GUILD, ADA), set[str])
    report = await ops.verify()
    assert_type(report, LedgerReport)
    assert_type(report.ok, bool)


async def configs() -> None:
    config = await ops.update_config(GUILD, BytesConfigUpdate(streak_bonuses={8: 2}))
    assert_type(config, BytesConfig)
    assert_type(config.starting_balance, int)
    assert_type(config.max_transfer, int)
    assert_type(config.transfer_cooldown_hours, int)
    assert_type(config.streak_bonuses, dict[int, int])
    assert_type(config.role_rewards, dict[str, int])


async def squads_of_members() -> None:
    async with in_transaction():
        squad = await squads.create_squad(SquadCreate(guild_id=GUILD, role_id=7, name="Red"))
        assert_type(squad, Squad)
    assert_type(squad.id, UUID)
    assert_type(squad.switch_cost, int)
    assert_type(squad.max_members, int | None)
    assert_type(squad.is_active, bool)
    assert_type(await squads.update_squad(GUILD, squad.id, SquadUpdate(name="Blue")), Squad)
    assert_type(await squads.join_squad(GUILD, ADA, squad.id), SquadMembership)
    assert_type(await squads.get_user_squad(GUILD, ADA), Squad | None)
    summaries = await squads.get_guild_squads(GUILD)
    assert_type(summaries, list[SquadSummary])
    assert_type(summaries[0].member_count, int)
    standings = await squads.get_squad_leaderboard(GUILD)
    assert_type(standings, list[SquadStanding])
    assert_type(standings[0].total_balance, int)


async def errors() -> None:
    try:
        await ops.charge(GUILD, ADA, 5)
    except InsufficientBalanceError as error:
        assert_type(error.balance, int)
        assert_type(error.required - error.balance, int)
    except TransferCooldownError as error:
        assert_type(error.available_at, datetime)
    except DailyAlreadyClaimedError as error:
        assert_type(error.claimed_on, date)
    except AlreadyReversedError as error:
        assert_type(error.reversal_id, UUID)
    except InvalidInputError as error:
        print([problem["msg"] for problem in error.problems])
    except RefusedError as error:
        print(error)


def raised_by_a_test_of_the_bot() -> list[BytesSquadsError]:
    return [InsufficientBalanceError(40, 60), SquadFullError(squad_id=UUID(int=1), max_members=5)]


async def opened() -> None:
    await init("sqlite://:memory:")
    assert_type(await upgrade(), list[str])


# What a checker must refuse: each of these lines needs its comment, else the checker warns.
InsufficientBalanceError(40)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
InsufficientBalanceError("40", 60)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
SquadCreate(guild_id=1.5, role_id=7, name="Red")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
