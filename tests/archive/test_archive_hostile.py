"""Malicious archives: refused in one line with nothing stored, or harmless."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from helpers import ALICE, BOB, GUILD, Clock, make_transfer
from helpers.archives import EMPTY, Record, export_records, find_record, write_archive
from helpers.assertions import naming
from helpers.backends import delete_all_rows
from helpers.sample_guild import dump

import bytes_squads
from bytes_squads import (
    BytesOperations,
    RefusedError,
    SquadOperations,
)
from bytes_squads.archive.format import MAX_LINE_BYTES, ArchiveError, ArchiveReader
from bytes_squads.archive.importer import import_guild

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


async def use(guild: str) -> None:
    """Run every operation on the imported guild: each succeeds or refuses."""
    clock = Clock(NOW)
    money, teams = BytesOperations(clock=clock), SquadOperations(clock=clock)
    members = [row.user_id for row in await bytes_squads.BytesBalance.all()]
    squads = [row.id for row in await bytes_squads.Squad.all()]
    keys = [row.idempotency_key for row in await bytes_squads.BytesTransaction.all()]
    for user in members:
        for key in [None, *filter(None, keys)]:
            await answered(money.claim_daily(guild, user, idempotency_key=key))
            await answered(teams.join_squad(guild, user, squads[0], idempotency_key=key))
            await answered(teams.switch_squad(guild, user, squads[1], idempotency_key=key))
            await answered(money.grant(guild, user, 1, idempotency_key=key))
        await answered(money.charge(guild, user, 1))
        await answered(teams.leave_squad(guild, user))
        for other in members:
            if other != user:
                await answered(money.create_transaction(make_transfer(user, other)))
        await money.get_earned_roles(guild, user)
        await money.get_transaction_history(guild, user)
        assert await money.get_rank(guild, user)
    await answered(money.grant_many(guild, dict.fromkeys(members, 1)))
    await money.get_leaderboard(guild)
    await teams.get_squad_leaderboard(guild)
    assert (await money.verify()).ok


async def answered(work: Any) -> None:
    """Await an operation, which may be refused and may do nothing else."""
    with suppress(RefusedError):
        await work


def change(
    kind: str, /, *, where: dict[str, Any] | None = None, **changes: Any
) -> Callable[[list[Record]], None]:
    return lambda lines: find_record(lines, kind, **where or {}).update(changes)


CLAIM = {"streak": 1, "multiplier": 1, "claimed_on": "2026-03-02", "balance": 0}
DAILY: dict[str, Any] = {"kind": "daily"}


def details(**changes: Any) -> Callable[[list[Record]], None]:
    return change("transaction", where=DAILY, details=CLAIM | changes)


NEVER = "9999-12-31T23:59:59.999999Z"
FIRST = "0001-01-01T00:00:00Z"
REFUSED = {
    "claim without details": change("transaction", where=DAILY, details=None),
    "claim with other details": change("transaction", where=DAILY, details={"a": 1}),
    "claim with a text for a number": details(streak="1"),
    "claim with a bool for a number": details(multiplier=True),
    "claim with a streak of 0": details(streak=0),
    "claim with a streak of 2**31": details(streak=2**31),
    "claim with a multiplier of 2**63": details(multiplier=2**63),
    "claim with a negative balance": details(balance=-1),
    "claim on no date": details(claimed_on="2026-02-30"),
    "claim on a date of another form": details(claimed_on="20260302"),
    "claim on the last date": details(claimed_on="9999-12-31"),
    "claim on the first date": details(claimed_on="0001-01-01"),
    "claim on a number": details(claimed_on=1),
    "claim with more details": details(more=1),
    "join without details": change("transaction", where={"kind": "squad"}, details=None),
    "join of no squad": change(
        "transaction", where={"kind": "squad"}, details={"action": "join", "squad_id": "x"}
    ),
    "join of an unknown action": change(
        "transaction", where={"kind": "squad"}, details={"action": [], "squad_id": ALICE}
    ),
    "NaN": change("transaction", where={"kind": "grant"}, details={"members": float("nan")}),
    "infinity": change("transaction", where={"kind": "grant"}, details={"members": float("inf")}),
    "a fraction": change("transaction", where={"kind": "grant"}, details={"members": 0.5}),
    "a large number": change("transaction", where={"kind": "grant"}, details={"members": 10**5000}),
    "a NUL in details": change("transaction", where={"kind": "grant"}, details={"a": "\0"}),
    "a NUL in a name": change("transaction", where={"kind": "grant"}, details={"a\0": 1}),
    "a surrogate": change("transaction", where={"kind": "grant"}, details={"a": "\ud800"}),
    "deep details": change("transaction", where={"kind": "grant"}, details={"a": "DEEP"}),
    "balance of NaN": change("balance", balance=float("nan")),
    "the last date": change("balance", last_daily="9999-12-31"),
    "the first date": change("balance", last_daily="0001-01-01"),
    "a streak of 2**31": change("balance", streak_count=2**31),
    "a streak of 2**31 - 1": change("balance", streak_count=2**31 - 1),
    "a streak without a date": change("balance", where={"user_id": BOB}, streak_count=1),
    "the last time": change("transaction", created_at=NEVER),
    "the first time": change("transaction", created_at=FIRST),
    "the first time, later there": change("transaction", created_at="0001-01-01T00:00:00+14:00"),
    "the last time, earlier there": change("transaction", created_at="9999-12-31T23:00:00-12:00"),
    "the last transfer at the last time": change("balance", last_transfer_at=NEVER),
    "joined at the first time": change("membership", joined_at=FIRST),
    "made at the last time": change("squad", created_at=NEVER),
    "changed at the last time": change("config", updated_at=NEVER),
    "a cooldown of ages": change("config", transfer_cooldown_hours=2**31 - 1),
    "a name of orders": change("squad", **{"\x1b[2J\n": 1}),
    "transfer of 0 bytes": change("transaction", where={"kind": "transfer"}, amount=0),
    "a huge version": change("header", version=10**4000),
}  # fmt: skip


def as_archive(lines: list[Record]) -> io.BytesIO:
    """Return the lines as an archive; a None is left out, DEEP is a text of many brackets."""
    kept = [{name: value for name, value in line.items() if value is not None} for line in lines]
    sys.set_int_max_str_digits(0)
    try:
        return io.BytesIO(
            write_archive(kept).getvalue().replace(b'"DEEP"', b"[" * 9_000 + b"]" * 9_000)
        )
    finally:
        sys.set_int_max_str_digits(4300)


async def test_import_refuses_hostile_lines(lines: list[Record]) -> None:
    """The error is one line, and nothing is stored; the original archive is imported."""
    for what, tamper in REFUSED.items():
        with naming(what):
            hostile = deepcopy(lines)
            tamper(hostile)
            with pytest.raises(ArchiveError) as caught:
                await import_guild(as_archive(hostile))
            assert str(caught.value).isprintable()
            assert len(str(caught.value)) < 300
            assert await dump() == EMPTY
    await import_guild(write_archive(lines))
    await use(GUILD)


EDGES = {
    "claims of long ago": change("balance", last_daily="1970-01-01", streak_count=1),
    "claims until a far day": change("balance", last_daily="8999-12-31", streak_count=2_500_000),
    "a claim of yesterday, the longest streak": change(
        "balance", last_daily="2026-03-03", streak_count=20_516
    ),
    "a transfer in the far future": change("balance", last_transfer_at="8999-12-31T23:59:59Z"),
    "a transfer of long ago": change("balance", last_transfer_at="1970-01-01T00:00:00Z"),
    "a ledger of the far future": change("transaction", created_at="8999-12-31T23:59:59.999999Z"),
    "the longest cooldown": change("config", transfer_cooldown_hours=1_000_000),
    "the largest pay": change("config", daily_amount=2**63 - 1, streak_bonuses={"1": 2**63 - 1}),
    "the largest multiplier": details(multiplier=2**63 - 1, streak=2**31 - 1),
    "a full squad": change("squad", max_members=1),
    "the dearest squad": change("squad", switch_cost=2**63 - 1),
    "a daily row of SYSTEM's": change(
        "transaction", where={"kind": "charge"}, kind="daily", idempotency_key="k", details=CLAIM
    ),
}


@pytest.mark.parametrize("what", EDGES)
async def test_import_of_extreme_values_leaves_a_usable_guild(
    lines: list[Record], what: str
) -> None:
    """Every operation succeeds or refuses, and the guild can be moved again."""
    EDGES[what](lines)
    await import_guild(write_archive(lines))
    await use(GUILD)
    once = await export_records()
    await delete_all_rows()
    await import_guild(write_archive(once))

    assert (await export_records())[1:] == once[1:]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="a device of POSIX")
@pytest.mark.parametrize("device", [Path("/dev/zero"), Path("/dev/urandom")], ids=str)
async def test_import_of_an_input_without_end_is_refused(db: Any, device: Path) -> None:
    """The first line is too long, or is not a header."""
    with device.open("rb") as source, pytest.raises(ArchiveError) as caught:
        await asyncio.wait_for(import_guild(source), 20)

    assert caught.value.line == 1
    assert await dump() == EMPTY


def test_archive_is_spooled_up_to_its_first_invalid_line(lines: list[Record]) -> None:
    """An endless archive is refused at its first invalid line, which is not copied."""
    good = write_archive(lines[:3]).getvalue()

    class Endless(io.BytesIO):
        def readline(self, size: int | None = -1) -> bytes:
            return super().readline(size) or b"y\n"

    copy = io.BytesIO()
    reader = ArchiveReader(Endless(good), copy)
    reader.read_header()
    with pytest.raises(ArchiveError) as caught:
        list(reader.read_records())

    assert caught.value.line == 4
    assert copy.getvalue() == good
    assert len(json.dumps(lines[0])) < MAX_LINE_BYTES
