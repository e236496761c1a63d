"""Export and import of a guild: unchanged, as a whole or not at all."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, closing
from typing import Any

import asyncpg
import pytest
from helpers import ALICE, BOB, CAROL, GUILD, OTHER_GUILD, PostgresServer, make_transfer
from helpers import run_in_thread as _run
from helpers.archives import EMPTY, Record, export_records, find_record, write_archive
from helpers.backends import LONG
from helpers.sample_guild import dump, open_database, populate

import bytes_squads
from bytes_squads import (
    BytesConfig,
    BytesConfigUpdate,
    BytesOperations,
    IdempotencyConflictError,
    SquadCreate,
    SquadOperations,
)
from bytes_squads.archive import format as archive
from bytes_squads.archive import importer
from bytes_squads.archive import sql as archives
from bytes_squads.archive.exporter import export_guild
from bytes_squads.archive.format import ArchiveError
from bytes_squads.archive.importer import import_guild
from bytes_squads.sql.statement import Statement

# The journey --------------------------------------------------------------------------------------

BOTH = ("sqlite", pytest.param("postgres", marks=pytest.mark.postgres))


@pytest.fixture(params=BOTH)
async def source_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """A migrated database to come from, of each kind, while `migrated_url` is one to go to."""
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite://{tmp_path_factory.mktemp('source') / 'source.db'}"
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = stack.enter_context(server.database())
        await bytes_squads.upgrade(url)
        yield url


async def test_import_makes_the_guild_that_was_exported(source_url: str, migrated_url: str) -> None:
    """All rows are equal, from either database to either; another guild stays."""
    async with open_database(source_url):
        await populate()
        left = await dump()
        lines = await export_records()
    async with open_database(migrated_url) as money:
        await populate(OTHER_GUILD)
        beside = await dump(OTHER_GUILD)

        imported, sizes = await import_guild(write_archive(lines))

        assert (imported, sizes.rows) == (GUILD, len(lines) - 2)
        assert await dump(OTHER_GUILD) == beside
        assert (await money.verify()).ok
        assert (await export_records())[1:] == lines[1:]
        assert await dump(GUILD) == left


async def test_operations_go_on_after_an_import(source_url: str, migrated_url: str) -> None:
    """Keys, streaks, new members and squads work after an import."""
    async with open_database(source_url) as money:
        await populate()
        first = await money.grant(GUILD, BOB, 3, idempotency_key="click 2")
        lines = await export_records()
    async with open_database(migrated_url) as money:
        await populate(OTHER_GUILD)
        await import_guild(write_archive(lines))

        again = await money.grant(GUILD, BOB, 3, idempotency_key="click 2")
        assert (again.id, again.created_at) == (first.id, first.created_at)
        with pytest.raises(IdempotencyConflictError):
            await money.claim_daily(GUILD, ALICE, idempotency_key="claim 3")

        for guild in (GUILD, OTHER_GUILD):
            for number in range(1, 10):
                await money.get_balance(guild, number)
        teams = SquadOperations()
        squad = await teams.create_squad(SquadCreate(guild_id=GUILD, role_id=1, name="New"))
        await teams.join_squad(GUILD, 1, squad.id)
        assert (await money.verify()).discrepancies == ()


async def test_export_is_one_snapshot(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Concurrent writes are not in the export, and do not wait."""
    monkeypatch.setattr(archives, "BATCH_SIZE", 1)
    monkeypatch.setattr("bytes_squads.archive.exporter.BATCH_SIZE", 1)
    richer = "UPDATE bytes_balances SET balance = balance + 1, total_received = total_received + 1"
    more = f"DELETE FROM bytes_transactions WHERE guild_id = '{GUILD}'"
    turns = 0

    def meanwhile(_done: int, _total: int) -> None:
        nonlocal turns
        turns += 1
        if migrated_url.startswith("sqlite"):
            path = migrated_url.removeprefix("sqlite://")
            with closing(sqlite3.connect(path, timeout=0)) as file, file:
                file.execute(richer)
                file.execute(more)
        else:
            _run(elsewhere())

    async def elsewhere() -> None:
        connection = await asyncpg.connect(migrated_url)
        await connection.execute(f"{richer}; {more}")
        await connection.close()

    async with open_database(migrated_url):
        await populate()
        before = await export_records()
        target = io.BytesIO()
        await export_guild(GUILD, target, meanwhile)
        after = await export_records()

    assert turns > len(before) - 2
    assert after != before
    assert [json.loads(line) for line in target.getvalue().splitlines()][1:] == before[1:]


async def test_export_reads_pages_without_gaps(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With any batch size no row is skipped or repeated."""
    await populate()
    whole = await export_records()
    for size in (1, 2, 3):
        monkeypatch.setattr(archives, "BATCH_SIZE", size)
        monkeypatch.setattr("bytes_squads.archive.exporter.BATCH_SIZE", size)
        assert (await export_records())[1:] == whole[1:]


async def test_export_of_an_unknown_guild_is_refused(db: Any) -> None:
    """A misspelled id gives an error, not an empty archive."""
    await populate()
    target = io.BytesIO()
    with pytest.raises(ArchiveError, match=f"no data of guild {OTHER_GUILD}"):
        await export_guild(OTHER_GUILD, target)
    assert target.getvalue() == b""


async def test_export_writes_ascii(db: Any) -> None:
    """Escape sequences in names are written as ASCII escapes."""
    await populate()
    target = io.BytesIO()
    await export_guild(GUILD, target)
    text = target.getvalue().decode("ascii")
    assert "\\u001b[31mDROP" in text
    assert all(line.isprintable() for line in text.splitlines())


# What is refused ----------------------------------------------------------------------------------


async def refusal(source: io.BytesIO, guild: str | None = None) -> ArchiveError:
    """Why the archive is refused; fails when it is not, or has left anything behind."""
    before = await dump()
    with pytest.raises(ArchiveError) as caught:
        await import_guild(source, guild)
    assert await dump() == before
    return caught.value


async def test_import_of_a_truncated_archive_is_refused(lines: list[Record]) -> None:
    """Truncated anywhere, between lines or inside of them, it is refused."""
    text = write_archive(lines).getvalue()
    ends = [place for place, byte in enumerate(text, 1) if byte == ord("\n")]
    for place in (0, 1, *ends[:3], ends[-3], ends[-2], ends[-2] + 7, len(text) - 2):
        error = await refusal(io.BytesIO(text[:place]))
        assert "cut off" in str(error), place
    await import_guild(io.BytesIO(text[:-1]))  # only the last newline is missing


def _richer(lines: list[Record]) -> None:
    line = find_record(lines, "balance", user_id=ALICE)
    line["balance"] += 1_000
    line["total_received"] += 1_000


def _larger(lines: list[Record]) -> None:
    find_record(lines, "transaction", kind="transfer")["amount"] += 1


def _forgotten(lines: list[Record]) -> None:
    lines.remove(find_record(lines, "transaction", kind="charge"))
    lines[-1]["transactions"] -= 1


def _gone(lines: list[Record]) -> None:
    lines.remove(find_record(lines, "balance", user_id=BOB))
    lines[-1]["balances"] -= 1


def _anothers(lines: list[Record]) -> None:
    find_record(lines, "transaction", kind="grant", reason="prize")["receiver_id"] = CAROL


@pytest.mark.parametrize("tamper", [_richer, _larger, _forgotten, _gone, _anothers])
async def test_import_of_an_inconsistent_ledger_is_refused(
    lines: list[Record], tamper: Callable[[list[Record]], None]
) -> None:
    """A changed amount or party, or a missing row, is refused."""
    tamper(lines)
    error = await refusal(write_archive(lines))
    assert "the books do not balance: member " in str(error)


def _first(kind: str, /, **changes: Any) -> Callable[[list[Record]], None]:
    return lambda lines: find_record(lines, kind).update(changes)


SQUAD = "00000000-0000-7000-8000-000000000000"
WRONG_LINES = {
    "header.version": (_first("header", version=4), "has version 4; supported are 1 to 3"),
    "header.format": (_first("header", format="csv"), "format"),
    "header.guild_id": (_first("header", guild_id="007"), "not a Discord id"),
    "no header": (lambda lines: lines.pop(0), "does not begin with a header"),
    "two headers": (lambda lines: lines.insert(1, lines[0]), "a header line is in the wrong"),
    "two configs": (lambda lines: lines.insert(2, lines[1]), "a config line is in the wrong"),
    "order": (lambda lines: lines.insert(-1, lines[2]), "a squad line is in the wrong place"),
    "unknown type": (lambda lines: lines[4].update(type="\x1b"), "does not match any"),
    "unknown field": (_first("squad", colour="red"), "squad.colour: Extra inputs"),
    "missing field": (lambda lines: find_record(lines, "balance").pop("balance"), "Field required"),
    "count": (
        _first("end", balances=7),
        "do not match the lines: 1 configs, 3 squads, 4",
    ),
    "after the end": (lambda lines: lines.append(lines[-1]), "after the closing line"),
    "negative": (_first("balance", balance=-1), "greater than or equal to 0"),
    "too large": (_first("transaction", amount=2**63), "less than or equal to"),
    "a float": (_first("transaction", amount=1.0), "valid integer"),
    "a text": (_first("balance", balance="100"), "valid integer"),
    "identity": (_first("balance", balance=1), "balance is not total_received minus total_sent"),
    "an id as a number": (_first("balance", user_id=int(ALICE)), "valid string"),
    "a bad id": (_first("transaction", giver_id="system"), "'system' is not a Discord id"),
    "same parties": (_first("transaction", giver_id=ALICE, receiver_id=ALICE), "are the same"),
    "a bad kind": (_first("transaction", kind="theft"), "Input should be 'transfer', 'starting'"),
    "no time": (_first("transaction", created_at="yesterday"), "valid datetime"),
    "no timezone": (_first("transaction", created_at="2026-03-02T12:00:00"), "timezone"),
    "no calendar": (
        _first("squad", created_at="0001-01-01T00:00:00+14:00"),
        "outside the years 1970 to 8999",
    ),
    "a long name": (_first("squad", name="x" * 101), "name is not a text within its length"),
    "a NUL": (_first("transaction", reason="a\0b"), "reason is not a text"),
    "an empty key": (_first("transaction", idempotency_key=""), "at least 1 character"),
    "a bad bonus": (_first("config", streak_bonuses={"0": 2}), "greater than or equal to 1"),
    "a bad reward": (_first("config", role_rewards={"x": 2}), "not a Discord id"),
    "no such squad": (_first("membership", squad_id=SQUAD), "the database rejected it"),
}


@pytest.mark.parametrize("what", WRONG_LINES)
async def test_import_names_the_invalid_line(lines: list[Record], what: str) -> None:
    """The error has the number and the problem of the line; nothing is changed."""
    change, message = WRONG_LINES[what]
    before = [dict(line) for line in lines]
    change(lines)
    number = next(
        (n for n, (old, new) in enumerate(zip(before, lines, strict=False), 1) if old != new),
        len(lines),
    )

    error = await refusal(write_archive(lines))

    assert message in str(error)
    assert "\n" not in str(error)
    assert error.line == number


@pytest.mark.parametrize(
    "raw", [b"", b"hello\n", b"[]\n", b"\xff\xfe{\x00\n", b"PK\x03\x04", b'{"type": "header"}\n']
)
async def test_import_of_another_file_is_refused_at_its_first_line(db: Any, raw: bytes) -> None:
    """A file that is not an archive is refused."""
    assert (await refusal(io.BytesIO(raw))).line == 1


async def test_import_of_a_line_without_end_is_refused(lines: list[Record]) -> None:
    """A file that is all one line does not fill the memory."""
    text = write_archive(lines[:1]).getvalue() + b'{"type": "' + b"x" * 2 * archive.MAX_LINE_BYTES
    error = await refusal(io.BytesIO(text))
    assert str(error) == "line 2: longer than 1,048,576 bytes"


async def test_import_names_a_duplicate_row(lines: list[Record]) -> None:
    """A duplicate id or key is refused with its line."""
    repeats = (
        find_record(lines, "balance", user_id=ALICE),
        find_record(lines, "membership"),
        find_record(lines, "transaction", idempotency_key="click 1"),
        {**find_record(lines, "transaction"), "id": SQUAD, "idempotency_key": "click 1"},
    )
    for repeat in repeats:
        place = max(n for n, line in enumerate(lines) if line["type"] == repeat["type"]) + 1
        counted = {**lines[-1], f"{repeat['type']}s": lines[-1][f"{repeat['type']}s"] + 1}
        longer = [*lines[:place], repeat, *lines[place:-1], counted]
        error = await refusal(write_archive(longer))
        assert error.line == place + 1
        assert "the database rejected it" in str(error)


async def test_import_of_another_guild_is_refused(lines: list[Record]) -> None:
    """With guild_id, an archive of another guild is refused."""
    error = await refusal(write_archive(lines), OTHER_GUILD)
    assert str(error) == f"line 1: this is an archive of guild {GUILD}, not of guild {OTHER_GUILD}"
    assert (await import_guild(write_archive(lines), GUILD))[0] == GUILD


# The guild it goes into ---------------------------------------------------------------------------


async def _member(money: BytesOperations) -> None:
    await money.get_balance(GUILD, 1)


async def _squad(_: BytesOperations) -> None:
    await SquadOperations().create_squad(SquadCreate(guild_id=GUILD, role_id=1, name="x"))


async def _settings(money: BytesOperations) -> None:
    await money.update_config(GUILD, BytesConfigUpdate(daily_amount=11))


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (_member, "1 balances, 1 transactions"),
        (_squad, "1 squads"),
        (_settings, "a changed config"),
    ],
)
async def test_import_into_a_guild_with_rows_is_refused(
    lines: list[Record], do: Callable[[BytesOperations], Any], message: str
) -> None:
    """An import into a guild with rows is refused."""
    await do(BytesOperations())
    error = await refusal(write_archive(lines))
    assert str(error) == f"guild {GUILD} is not empty: it has {message}"


async def test_import_replaces_a_config_of_defaults(lines: list[Record]) -> None:
    """A stored config of defaults does not prevent an import."""
    await BytesOperations().get_config(GUILD)
    await import_guild(write_archive(lines))
    assert (await export_records())[1:] == lines[1:]


async def test_import_of_a_guild_without_a_config_makes_none(lines: list[Record]) -> None:
    """A guild with squads only can be moved."""
    await SquadOperations().create_squad(SquadCreate(guild_id=OTHER_GUILD, role_id=1, name="x"))
    only_a_squad = await export_records(OTHER_GUILD)
    await bytes_squads.Squad.all().delete()
    await import_guild(write_archive(only_a_squad))
    assert (await export_records(OTHER_GUILD))[1:] == only_a_squad[1:]
    assert await BytesConfig.all().count() == 0


@pytest.mark.parametrize("turn", range(4))
async def test_import_that_is_interrupted_leaves_nothing(lines: list[Record], turn: int) -> None:
    """A cancel may come between any two batches; afterwards it can be done again."""
    turns = 0

    def interrupt(_: int) -> None:
        nonlocal turns
        turns += 1
        if turns == turn + 1:
            task.cancel()

    task = asyncio.create_task(import_guild(write_archive(lines), on_progress=interrupt))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await dump() == EMPTY
    await import_guild(write_archive(lines))
    assert (await export_records())[1:] == lines[1:]


@pytest.mark.parametrize("turns", range(1, 14))
async def test_import_cancelled_during_many_rows_leaves_nothing(
    lines: list[Record], turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled while many rows are sent, it leaves nothing, and the connection works."""
    gift = {
        **find_record(lines, "transaction", kind="charge"),
        "reason": "x" * 200,
        "kind": "grant",
    }
    rows = 2_000
    gifts = [
        {
            **gift,
            "id": f"00000000-0000-7000-8000-{number:012}",
            "giver_id": "SYSTEM",
            "receiver_id": ALICE,
            "amount": 1,
        }
        for number in range(rows)
    ]
    rich = find_record(lines, "balance", user_id=ALICE)
    rich["balance"] += rows
    rich["total_received"] += rows
    counted = {**lines[-1], "transactions": lines[-1]["transactions"] + rows}
    source = write_archive([*lines[:-1], *gifts, counted])
    loop, many = asyncio.get_running_loop(), importer.execute_many
    cut_off: list[int] = []

    def interrupt(left: int) -> None:
        if left:
            loop.call_soon(interrupt, left - 1)
        else:
            task.cancel()

    async def interrupted(db: Any, statement: Statement, rows: Any) -> None:
        if len(rows) == archives.BATCH_SIZE:
            interrupt(turns)
        try:
            await many(db, statement, rows)
        except asyncio.CancelledError:
            cut_off.append(len(rows))
            raise

    with monkeypatch.context() as patch:
        patch.setattr(importer, "execute_many", interrupted)
        task = asyncio.create_task(import_guild(source))
        async with asyncio.timeout(LONG):
            await asyncio.wait({task})

    assert task.cancelled()
    assert cut_off == []
    assert await dump() == EMPTY
    source.seek(0)
    await import_guild(source)
    found = await BytesOperations().verify()
    assert (found.ok, found.transactions) == (True, counted["transactions"])


async def test_get_balance_during_an_import_waits(lines: list[Record]) -> None:
    """An operation in the guild that is being imported waits, and creates no member."""
    clicks = []

    def click(_: int) -> None:
        if not clicks:
            clicks.append(asyncio.create_task(BytesOperations().get_balance(GUILD, ALICE)))

    await import_guild(write_archive(lines), on_progress=click)
    found = await asyncio.wait_for(clicks[0], LONG)
    assert found.balance == find_record(lines, "balance", user_id=ALICE)["balance"]


@pytest.mark.postgres
async def test_import_refuses_a_squad_made_during_it(db: Any, lines: list[Record]) -> None:
    """Creating a squad does not wait; the import is then refused."""
    squad = (
        "INSERT INTO squads (guild_id, id, role_id, name, switch_cost, is_active, created_at, "
        f"updated_at) VALUES ('{GUILD}', '{SQUAD}', '1', 'x', 0, true, now(), now())"
    )

    async def elsewhere() -> None:
        connection = await asyncpg.connect(db.url)
        await connection.execute(squad)
        await connection.close()

    def meanwhile(_: int) -> None:
        if not made:
            _run(elsewhere())
            made.append(squad)

    made: list[str] = []
    with pytest.raises(ArchiveError, match="was used during the import"):
        await import_guild(write_archive(lines), on_progress=meanwhile)
    assert {table: len(rows) for table, rows in (await dump()).items() if rows} == {"squads": 1}


async def test_import_does_not_block_other_guilds(lines: list[Record]) -> None:
    """Transfers in another guild go on during an import."""
    money = BytesOperations()

    async def trade() -> int:
        done = 0
        while not over.is_set():
            for giver, receiver in ((ALICE, BOB), (BOB, ALICE)):
                order = make_transfer(giver, receiver, 1, guild_id=OTHER_GUILD)
                await money.create_transaction(order)
                done += 1
        return done

    over = asyncio.Event()
    bot = asyncio.create_task(trade())
    await asyncio.sleep(0)
    await import_guild(write_archive(lines))
    over.set()
    assert await asyncio.wait_for(bot, LONG) > 0
    assert (await money.verify()).discrepancies == ()
    assert (await export_records())[1:] == lines[1:]
