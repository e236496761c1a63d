"""Archives of version 1 can still be imported: keys beside the ledger become rows of 0 bytes."""

from __future__ import annotations

import io
from typing import Any

import pytest
from helpers import ALICE, BOB, CAROL, GUILD, Clock, Ids, make_transfer
from helpers.archives import write_archive
from helpers.backends import delete_all_rows

from bytes_squads import (
    BytesBalance,
    BytesOperations,
    BytesTransaction,
    IdempotencyConflictError,
    SquadOperations,
    TransferCooldownError,
)
from bytes_squads.archive.exporter import export_guild
from bytes_squads.archive.format import ArchiveError
from bytes_squads.archive.importer import import_guild

DAVE = "200000000000000004"
RED = "01951000-0000-7000-8000-0000000000aa"
BLUE = "01951000-0000-7000-8000-0000000000bb"
MADE, LATER = "2026-02-01T00:00:00Z", "2026-03-09T00:00:00Z"
CLAIM = {"streak": 3, "multiplier": 1, "claimed_on": "2026-03-01", "balance": 70}
TIMES = {"created_at": MADE, "updated_at": MADE}


def balance(user_id: str, received: int, sent: int, **fields: Any) -> dict[str, Any]:
    return {
        "type": "balance",
        "user_id": user_id,
        "balance": received - sent,
        "total_received": received,
        "total_sent": sent,
        "streak_count": 3,
        "last_daily": "2026-03-01",
        "created_at": MADE,
        "updated_at": "2026-03-01T23:59:59.999999Z",
        **fields,
    }


def squad(squad_id: str, role_id: str, name: str, cost: int) -> dict[str, Any]:
    return {"type": "squad", "id": squad_id, "role_id": role_id, "name": name} | {
        "switch_cost": cost,
        "is_active": True,
        **TIMES,
    }


def seat(user_id: str, squad_id: str, **fields: Any) -> dict[str, Any]:
    at = "2026-03-01T11:30:00.25Z"
    return {
        "type": "membership",
        "user_id": user_id,
        "squad_id": squad_id,
        "joined_at": at,
        **fields,
    }


def entry(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "type": "transaction",
        "id": f"01951000-0000-7000-8000-0000000001{number:02}",
        "giver_id": "SYSTEM",
        "giver_username": "",
        "receiver_id": "SYSTEM",
        "receiver_username": "",
        "created_at": f"2026-03-01T10:{number:02}:00.000007Z",
        **fields,
    }


@pytest.fixture
def lines() -> list[dict[str, Any]]:
    """A guild as the package wrote it in version 1 of the format."""
    config = {"starting_balance": 100, "daily_amount": 0, "streak_bonuses": {"8": 2}}
    limits = {"max_transfer": 1000, "transfer_cooldown_hours": 24, "role_rewards": {}}
    return [
        {
            "type": "header",
            "format": "bytes_squads guild",
            "version": 1,
            "guild_id": GUILD,
            "exported_at": MADE,
        },
        {"type": "config", **config, **limits, **TIMES},
        squad(RED, "31", "Red", 0),
        squad(BLUE, "32", "Blue", 50),
        balance(ALICE, 100, 30, claim_key="claim a", claim_details=CLAIM),
        balance(BOB, 130, 60, claim_key="click", claim_details=CLAIM, updated_at=LATER),
        balance(CAROL, 110, 0, claim_key="claim c", claim_details=CLAIM, updated_at=LATER),
        seat(ALICE, RED, idempotency_key="join a"),
        seat(BOB, BLUE),
        seat(CAROL, RED, idempotency_key="claim c"),
        seat(DAVE, RED, idempotency_key="join d"),
        entry(1, kind="starting", receiver_id=ALICE, amount=100),
        entry(2, kind="starting", receiver_id=BOB, amount=100),
        entry(3, kind="starting", receiver_id=CAROL, amount=100),
        entry(5, kind="transfer", giver_id=ALICE, receiver_id=BOB, amount=10),
        entry(6, kind="transfer", giver_id=ALICE, receiver_id=BOB, amount=20,
              idempotency_key="click"),
        entry(7, kind="transfer", giver_id=BOB, receiver_id=CAROL, amount=10),
        entry(8, kind="squad", giver_id=BOB, amount=50, details={"how": "join", "squad_id": BLUE},
              idempotency_key="join b"),
        {"type": "end", "configs": 1, "squads": 2, "balances": 3, "memberships": 4,
         "transactions": 7},
    ]  # fmt: skip


async def test_import_moves_the_keys_of_an_old_archive_onto_the_ledger(
    db: Any, lines: list[dict[str, Any]]
) -> None:
    """Unpaid claims and free joins become rows of 0 bytes; a key of the ledger stays there."""
    _, footer = await import_guild(write_archive(lines))
    rows = await BytesTransaction.filter(amount=0).order_by("idempotency_key")
    found = [
        (row.idempotency_key, row.kind, row.giver_id, row.receiver_id, row.reason) for row in rows
    ]
    joined = {"action": "join", "squad_id": RED}

    assert footer.transactions == 7 + 4
    assert found == [
        ("claim a", "daily", "SYSTEM", ALICE, None),
        ("claim c", "daily", "SYSTEM", CAROL, None),
        ("join a", "squad", ALICE, "SYSTEM", "Red"),
        ("join d", "squad", DAVE, "SYSTEM", "Red"),
    ]
    assert [row.details for row in rows] == [CLAIM, CLAIM, joined, joined]
    assert [row.created_at.isoformat() for row in rows] == [
        "2026-03-01T23:59:59.999999+00:00",  # the last change of the member
        "2026-03-01T00:00:00+00:00",  # the date of the claim
        *["2026-03-01T11:30:00.250000+00:00"] * 2,
    ]
    assert {row.id.version for row in rows} == {7}
    assert [row.id.int >> 80 for row in rows] == [
        int(row.created_at.timestamp() * 1000) for row in rows
    ]
    assert (await BytesOperations().verify()).ok


async def test_import_computes_what_an_old_archive_does_not_have(
    db: Any, lines: list[dict[str, Any]]
) -> None:
    """The time of the last transfer comes from the ledger, and details have their new names."""
    await import_guild(write_archive(lines))
    times = {row.user_id: row.last_transfer_at for row in await BytesBalance.all()}
    paid = await BytesTransaction.get(idempotency_key="join b")

    assert {user: time and time.isoformat() for user, time in times.items()} == {
        ALICE: "2026-03-01T10:06:00.000007+00:00",
        BOB: "2026-03-01T10:07:00.000007+00:00",
        CAROL: None,
    }
    assert paid.details == {"action": "join", "squad_id": BLUE}


async def test_operations_go_on_after_the_import_of_an_old_archive(
    db: Any, lines: list[dict[str, Any]], clock: Clock, ids: Ids
) -> None:
    """Repeated requests get their first answers, a cooldown holds, and an export has it all."""
    await import_guild(write_archive(lines))
    money, teams = BytesOperations(clock=clock), SquadOperations(clock=clock)
    again = await money.claim_daily(GUILD, ALICE, idempotency_key="claim a")
    member = await teams.join_squad(GUILD, ALICE, RED, idempotency_key="join a")
    unknown = await teams.join_squad(GUILD, DAVE, RED, idempotency_key="join d")
    with pytest.raises(IdempotencyConflictError):
        await teams.join_squad(GUILD, CAROL, RED, idempotency_key="claim c")
    clock.now = clock.now.replace(day=2, hour=9)
    with pytest.raises(TransferCooldownError):
        await money.create_transaction(make_transfer())
    target = io.BytesIO()
    await export_guild(GUILD, target)
    await delete_all_rows()
    await import_guild(io.BytesIO(target.getvalue()))
    once_more = io.BytesIO()
    await export_guild(GUILD, once_more)

    assert (again.streak, again.amount, again.balance) == (3, 0, 70)
    assert (str(member.squad_id), str(unknown.squad_id)) == (RED, RED)
    assert once_more.getvalue().splitlines()[1:] == target.getvalue().splitlines()[1:]


WRONG: dict[str, tuple[int, dict[str, Any], str]] = {
    "a claim without details": (4, {"claim_details": None}, "details of a daily row"),
    "a newer field": (4, {"last_transfer_at": MADE}, "Extra inputs"),
    "an empty key": (7, {"idempotency_key": ""}, "at least 1 character"),
    "a row of 0 bytes": (11, {"amount": 0}, "greater than or equal to 1"),
    "newer details": (17, {"details": {"action": "join", "squad_id": BLUE}}, "details of a squad"),
    "a key twice": (16, {"idempotency_key": "click"}, "the database rejected it"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_import_refuses_what_version_1_never_wrote(
    db: Any, lines: list[dict[str, Any]], what: str
) -> None:
    """By the number of the line, and nothing is stored."""
    number, change, message = WRONG[what]
    line = lines[number] | change
    lines[number] = {name: value for name, value in line.items() if value is not None}
    with pytest.raises(ArchiveError, match=message) as caught:
        await import_guild(write_archive(lines))

    assert caught.value.line == number + 1
    assert await BytesBalance.all().count() == await BytesTransaction.all().count() == 0
