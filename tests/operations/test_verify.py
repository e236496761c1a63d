"""`verify` finds every balance that differs from the ledger, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import Ids, MakeMember, TestData
from helpers.assertions import MAX_BYTES, ReadRows
from tortoise.expressions import F

from bytes_squads import (
    BytesBalance,
    BytesOperations,
    BytesTransaction,
    LedgerReport,
    SquadOperations,
)
from bytes_squads.schemas import LedgerDiscrepancy


async def insert(ids: Ids, giver: str, receiver: str, amount: int, **fields: Any) -> None:
    """A ledger row that moved nothing."""
    values: dict[str, Any] = {
        "guild_id": ids.guild,
        "giver_id": giver,
        "giver_username": "",
        "receiver_id": receiver,
        "receiver_username": "",
        "amount": amount,
        "kind": "transfer",
    }
    await BytesTransaction.create(**values | fields)


def found(report: LedgerReport) -> list[tuple[str, str, str, int, int]]:
    """What a report has found, as tuples."""
    return [(d.guild_id, d.user_id, d.field, d.expected, d.found) for d in report.discrepancies]


async def test_verify_finds_nothing_in_an_empty_ledger(bytes_ops: BytesOperations) -> None:
    """An empty ledger has no discrepancies."""
    report = await bytes_ops.verify()
    assert LedgerReport(members=0, transactions=0, discrepancies=()) == report
    assert report.ok is True


async def test_verify_finds_nothing_after_operations(
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    test_data: TestData,
    ids: Ids,
    read_all_rows: ReadRows,
) -> None:
    """Alice, Bob and one Alice elsewhere started; then grant, charge, claim, switch: 3 + 4."""
    await bytes_ops.grant(ids.guild, ids.alice, 5)
    await bytes_ops.charge(ids.guild, ids.bob, 5)
    await bytes_ops.claim_daily(ids.guild, ids.carol)
    await squad_ops.switch_squad(ids.guild, ids.bob, test_data.red.id)
    before = await read_all_rows()
    report = await bytes_ops.verify()
    assert LedgerReport(members=4, transactions=7, discrepancies=()) == report
    assert before == await read_all_rows()


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        # Alice's ledger says +500 −20; the row says what is written here
        ({"balance": 481, "total_received": 501}, [("balance", 480, 481), (..., 500, 501)]),
        ({"balance": 0, "total_received": 20}, [("balance", 480, 0), (..., 500, 20)]),
        ({"balance": 490, "total_sent": 10}, [("balance", 480, 490), ("total_sent", 20, 10)]),
        ({"total_received": 510, "total_sent": 30}, [(..., 500, 510), ("total_sent", 20, 30)]),
        (
            {"balance": MAX_BYTES, "total_received": MAX_BYTES, "total_sent": 0},
            [("balance", 480, MAX_BYTES), (..., 500, MAX_BYTES), ("total_sent", 20, 0)],
        ),
    ],
    ids=str,
)
async def test_verify_finds_a_changed_balance(
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    ids: Ids,
    tamper: dict[str, int],
    expected: list[tuple[Any, int, int]],
) -> None:
    """Each number that differs is reported, with both values."""
    await make_member(ids.alice, 500)
    await make_member(ids.bob, 100)
    await bytes_ops.charge(ids.guild, ids.alice, 20)
    await BytesBalance.filter(user_id=ids.alice).update(**tamper)
    report = await bytes_ops.verify()
    assert report.ok is False
    assert (report.members, report.transactions) == (2, 3)
    names = {...: "total_received"}
    assert sorted(
        (ids.guild, ids.alice, names.get(field, field), *numbers) for field, *numbers in expected
    ) == sorted(found(report))


async def test_verify_finds_a_deleted_ledger_row(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids
) -> None:
    """Without the row of 30 Alice should have 100 and Bob 0; they have 70 and 30."""
    await make_member(ids.alice, 100)
    await make_member(ids.bob, 30)
    await bytes_ops.charge(ids.guild, ids.alice, 30)
    await BytesTransaction.filter(kind="charge").delete()
    await BytesTransaction.filter(receiver_id=ids.bob).delete()
    expected = [
        (ids.guild, ids.alice, "balance", 100, 70),
        (ids.guild, ids.alice, "total_sent", 0, 30),
        (ids.guild, ids.bob, "balance", 0, 30),
        (ids.guild, ids.bob, "total_received", 0, 30),
    ]
    assert expected == found(await bytes_ops.verify())


async def test_verify_finds_an_inserted_ledger_row(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids
) -> None:
    """A row of 30 from Alice to Bob that moved nothing is wrong for both."""
    await make_member(ids.alice, 100)
    await make_member(ids.bob, 0)
    await insert(ids, ids.alice, ids.bob, 30)
    expected = [
        (ids.guild, ids.alice, "balance", 70, 100),
        (ids.guild, ids.alice, "total_sent", 30, 0),
        (ids.guild, ids.bob, "balance", 30, 0),
        (ids.guild, ids.bob, "total_received", 30, 0),
    ]
    assert expected == found(await bytes_ops.verify())


async def test_verify_finds_a_balance_without_ledger_rows(
    bytes_ops: BytesOperations, ids: Ids
) -> None:
    """5 bytes without a ledger row should be 0; 0 without one is right."""
    await BytesBalance.create(guild_id=ids.guild, user_id=ids.alice, balance=5, total_received=5)
    await BytesBalance.create(guild_id=ids.guild, user_id=ids.bob)
    await BytesBalance.create(guild_id=ids.guild, user_id=ids.carol, total_received=7, total_sent=7)
    expected = [
        (ids.guild, ids.alice, "balance", 0, 5),
        (ids.guild, ids.alice, "total_received", 0, 5),
        (ids.guild, ids.carol, "total_received", 0, 7),
        (ids.guild, ids.carol, "total_sent", 0, 7),
    ]
    report = await bytes_ops.verify()
    assert expected == found(report)
    assert (report.members, report.transactions) == (3, 0)


async def test_verify_finds_a_ledger_row_without_a_balance(
    bytes_ops: BytesOperations, ids: Ids
) -> None:
    """A member who received 5 without a balance row is reported; SYSTEM is not."""
    await insert(ids, "SYSTEM", ids.alice, 5, kind="grant")
    report = await bytes_ops.verify()
    expected = [
        (ids.guild, ids.alice, "balance", 5, 0),
        (ids.guild, ids.alice, "total_received", 5, 0),
    ]
    assert expected == found(report)
    assert (report.members, report.transactions) == (0, 1)


async def test_verify_reports_sums_beyond_64_bits(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids
) -> None:
    """Three rows of 2⁶³−1 that moved nothing add up, and the report tells the sum."""
    await make_member(ids.alice, 0)
    for _ in range(3):
        await insert(ids, "SYSTEM", ids.alice, MAX_BYTES, kind="grant")
    await insert(ids, ids.alice, "SYSTEM", 1, kind="charge")
    expected = [
        (ids.guild, ids.alice, "balance", 3 * MAX_BYTES - 1, 0),
        (ids.guild, ids.alice, "total_received", 3 * MAX_BYTES, 0),
        (ids.guild, ids.alice, "total_sent", 1, 0),
    ]
    assert expected == found(await bytes_ops.verify())


async def test_verify_of_a_guild_checks_that_guild(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids
) -> None:
    """A discrepancy is found in its guild and in all, not in another guild."""
    await make_member(ids.alice, 100)
    await make_member(ids.alice, 70, ids.other_guild)
    await make_member(ids.bob, 0, ids.other_guild)
    await BytesBalance.filter(guild_id=ids.other_guild, user_id=ids.alice).update(
        balance=F("balance") + 1, total_received=F("total_received") + 1
    )
    wrong = (
        LedgerDiscrepancy(ids.other_guild, ids.alice, "balance", 70, 71),
        LedgerDiscrepancy(ids.other_guild, ids.alice, "total_received", 70, 71),
    )
    assert LedgerReport(1, 1, ()) == await bytes_ops.verify(ids.guild)
    assert LedgerReport(2, 1, wrong) == await bytes_ops.verify(int(ids.other_guild))
    assert LedgerReport(3, 2, wrong) == await bytes_ops.verify()
    assert LedgerReport(0, 0, ()) == await bytes_ops.verify("12345")
