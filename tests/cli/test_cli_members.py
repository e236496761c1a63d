"""The commands about members: what they print, for people and for scripts, and what they refuse."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from helpers import ALICE, BOB, CAROL, GUILD, OTHER_GUILD
from helpers.sample_guild import HOSTILE_NAME, dump, open_database, populate

from bytes_squads import BytesTransaction

pytest.importorskip("rich")
pytest.importorskip("asyncclick")

from helpers.cli_runner import read_error, read_json, run_command

NOBODY = "999"


@pytest.fixture
async def url(migrated_url: str) -> str:
    """A database with a guild that has lived."""
    async with open_database(migrated_url):
        await populate()
    return migrated_url


async def rows(url: str) -> Any:
    """Every row of the database."""
    async with open_database(url):
        return await dump()


async def printed(*arguments: object, url: str) -> str:
    """What a command that succeeds prints for people, each space as one."""
    result = await run_command(*arguments, DATABASE_URL=url)
    assert (result.exit_code, result.stderr) == (0, "")
    assert all(line.isprintable() for line in result.stdout.splitlines())
    return " ".join(result.stdout.split())


# leaderboard --------------------------------------------------------------------------------------


async def test_the_leaderboard_is_that_of_the_guild(url: str) -> None:
    """By balance; a page of it, and nothing for a guild that is not there."""
    board = ("leaderboard", "--guild", GUILD)
    async with open_database(url) as money:
        entries = await money.get_leaderboard(GUILD)
    expected = [
        {"rank": entry.rank, "user_id": entry.user_id, "balance": entry.balance}
        for entry in entries
    ]

    assert await read_json(*board, DATABASE_URL=url) == expected
    page = ("--limit", 2, "--offset", 1)
    assert await read_json(*board, *page, DATABASE_URL=url) == expected[1:3]
    assert await read_json("leaderboard", "--guild", OTHER_GUILD, DATABASE_URL=url) == []

    text = await printed(*board, url=url)
    assert text.startswith("Leaderboard # member bytes")
    for entry in entries:
        assert f"{entry.rank} {entry.user_id} {entry.balance}" in text


# balance ------------------------------------------------------------------------------------------


async def test_a_balance_is_what_the_member_has(url: str) -> None:
    """With the place on the leaderboard, for people in words and for scripts as numbers."""
    async with open_database(url) as money:
        member = await money.get_balance(GUILD, ALICE)
        place = await money.get_rank(GUILD, ALICE)
    assert place is not None

    found = await read_json("balance", "--guild", GUILD, ALICE, DATABASE_URL=url)
    for name in ("created_at", "updated_at", "last_transfer_at"):
        assert found[name].endswith("Z")
        assert datetime.fromisoformat(found.pop(name)) == getattr(member, name)
    assert found == {
        "guild_id": GUILD,
        "user_id": ALICE,
        "rank": place.rank,
        "balance": member.balance,
        "total_received": member.total_received,
        "total_sent": member.total_sent,
        "last_daily": "2026-03-03",
        "streak_count": 2,
    }

    text = await printed("balance", "--guild", GUILD, ALICE, url=url)
    assert f"Member {ALICE} of guild {GUILD} balance {member.balance} bytes" in text
    assert "last daily claim 2026-03-03 streak 2 d" in text
    assert "last daily claim never" in await printed("balance", "--guild", GUILD, BOB, url=url)


@pytest.mark.parametrize(("guild", "user"), [(GUILD, NOBODY), (OTHER_GUILD, ALICE)])
async def test_looking_makes_no_member(url: str, guild: str, user: str) -> None:
    """An unknown member, or a guild misspelled, is an error, and no row."""
    before = await rows(url)
    said = await read_error("balance", "--guild", guild, user, DATABASE_URL=url)
    assert said == f"guild {guild} has no member {user}"
    assert await rows(url) == before


# history ------------------------------------------------------------------------------------------


async def test_the_history_is_the_ledger_newest_first(url: str) -> None:
    """Of the guild or of a member, page after page, with every id as a string."""
    async with open_database(url) as money:
        ledger = await money.get_transaction_history(GUILD)
        alices = await money.get_transaction_history(GUILD, ALICE)

    found = await read_json("history", "--guild", GUILD, DATABASE_URL=url)
    assert [row["id"] for row in found] == [str(row.id) for row in ledger]
    transfer = next(row for row in found if row["kind"] == "transfer")
    assert transfer == {
        "id": transfer["id"],
        "guild_id": GUILD,
        "giver_id": ALICE,
        "giver_username": "alice",
        "receiver_id": BOB,
        "receiver_username": HOSTILE_NAME,
        "amount": 25,
        "reason": HOSTILE_NAME,
        "created_at": "2026-03-02T12:00:00.123459Z",
        "kind": "transfer",
        "actor_id": None,
        "idempotency_key": "click 1",
    }
    pages, before = [], ()
    while page := await read_json(
        "history", "--guild", GUILD, "--limit", 5, *before, DATABASE_URL=url
    ):
        pages += page
        before = ("--before", page[-1]["id"])
    assert pages == found
    of_alice = await read_json("history", "--guild", GUILD, "--user", ALICE, DATABASE_URL=url)
    assert [row["id"] for row in of_alice] == [str(row.id) for row in alices]
    assert await read_json("history", "--guild", GUILD, "--user", NOBODY, DATABASE_URL=url) == []


async def test_a_reason_gives_the_terminal_no_orders(url: str) -> None:
    """Escape sequences are written out; quotes, markup and emoji are what they are."""
    whole = await printed("history", "--guild", GUILD, url=url)
    told = 'Robert"); \\x1b[31mDROP\\r\\n\\u202e 🎲 [bold]:smile: möwe'
    assert f"2026-03-02 12:00 transfer 25 {ALICE} {BOB} {told[:9]}" in whole
    wide = await run_command("history", "--guild", GUILD, DATABASE_URL=url, COLUMNS="200")
    assert told in wide.stdout
    seen = {
        user: await printed("history", "--guild", GUILD, "--user", user, url=url)
        for user in (ALICE, BOB)
    }
    assert f"transfer -25 {BOB}" in seen[ALICE]
    assert f"transfer +25 {ALICE}" in seen[BOB]


async def test_a_page_after_a_row_that_is_not_there_is_refused(url: str) -> None:
    """A row of another guild is none of this one's."""
    row = str(UUID(int=7))
    said = await read_error("history", "--guild", GUILD, "--before", row, DATABASE_URL=url)
    assert said == f"the ledger of guild {GUILD} has no row {row}"


# grant, charge ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "change"), [("grant", 30), ("charge", -30)])
async def test_an_order_moves_bytes_and_tells_the_ledger_row(
    url: str, order: str, change: int
) -> None:
    """With reason, actor and name, and once only under one key."""
    options = ("--reason", "prize", "--actor", BOB, "--key", "order-1", "--username", "carol")
    words = (order, "--guild", GUILD, CAROL, 30, *options)
    async with open_database(url) as money:
        before = (await money.get_balance(GUILD, CAROL)).balance

    row = await read_json(*words, DATABASE_URL=url)
    assert await read_json(*words, DATABASE_URL=url) == row
    text = await printed(*words, url=url)

    done = {"grant": f"granted 30 bytes to member {CAROL}", "charge": f"charged member {CAROL} 30"}
    assert text.startswith(done[order])
    assert text.endswith(f"ledger row {row['id']}")
    age = datetime.now(UTC) - datetime.fromisoformat(row.pop("created_at"))
    assert abs(age.total_seconds()) < 600
    member, system = ("receiver", "giver") if change > 0 else ("giver", "receiver")
    assert row == {
        "id": row["id"],
        "guild_id": GUILD,
        f"{member}_id": CAROL,
        f"{member}_username": "carol",
        f"{system}_id": "SYSTEM",
        f"{system}_username": "SYSTEM",
        "amount": 30,
        "reason": "prize",
        "kind": order,
        "actor_id": BOB,
        "idempotency_key": "order-1",
    }
    async with open_database(url) as money:
        assert (await money.get_balance(GUILD, CAROL)).balance == before + change
        assert await BytesTransaction.filter(guild_id=GUILD, id=row["id"]).count() == 1
        assert (await money.verify()).ok


async def test_an_order_that_is_refused_changes_nothing(url: str) -> None:
    """The reason is the operation's own, in one line."""
    before = await rows(url)
    orders = {
        ("charge", CAROL, 1_000_000): "1000000 bytes are needed, the balance is ",
        ("charge", CAROL, 0): "0 is not an amount of bytes",
        ("grant", CAROL, -5): None,
        ("grant", CAROL, 2**63): f"{2**63} is not an amount of bytes",
        ("grant", CAROL, 2**63 - 1): "more would exceed",
        ("grant", CAROL, 5, "--reason", "x" * 201): "reason is not a text",
        ("grant", CAROL, 5, "--key", ""): "idempotency_key is not a text",
        ("grant", CAROL, 5, "--key", "click 1"): "'click 1' has been used for another operation",
    }
    for (name, *words), told in orders.items():
        if told is None:  # click takes a word with a hyphen for an option
            await read_error(name, "--guild", GUILD, *words, code=2, DATABASE_URL=url)
        else:
            assert told in await read_error(name, "--guild", GUILD, *words, DATABASE_URL=url)
    assert await rows(url) == before


# Wrong words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["leaderboard"], "Missing option '--guild'. (see bytes-squads leaderboard --help)"),
        (["leaderboard", "--guild", "0"], "'0' is not a Discord id"),
        (["leaderboard", "--guild", GUILD, "--limit", "1e3"], "'1e3' is not a whole number"),
        (["leaderboard", "--guild", GUILD, "--limit", "\u0661"], "'\\u0661' is not a whole number"),
        (["leaderboard", "--guild", GUILD, "--offset", "9" * 5000], "is not a whole number"),
        (["balance", "--guild", GUILD], "Missing argument 'USER'"),
        (["balance", "--guild", GUILD, "\x1b]0;x\x07"], "is not a Discord id"),
        (["balance", "--guild", GUILD, ALICE, "\x1b[31m"], "\\x1b[31m"),
        (["history", "--guild", GUILD, "--user", "me"], "'me' is not a Discord id"),
        (["history", "--guild", GUILD, "--before", "x"], "'x' is not the id of a ledger row"),
        (["grant", "--guild", GUILD, ALICE], "Missing argument 'AMOUNT'"),
        (["grant", "--guild", GUILD, ALICE, "1_000"], "'1_000' is not a whole number"),
        (["charge", "--guild", GUILD, ALICE, "5", "--actor", "x"], "'x' is not a Discord id"),
        (["grant", "--guild", GUILD, ALICE, "5", "--resaon", "x"], "--resaon"),
    ],
)
async def test_a_wrong_word_is_told_in_one_line(words: list[str], told: str) -> None:
    """It exits with 2, before any database is looked for, and shows nothing raw."""
    assert told in await read_error(*words, code=2)


@pytest.mark.parametrize("limit", ["0", "10001"])
async def test_a_page_has_its_limits(url: str, limit: str) -> None:
    """They are those of the operations."""
    for name in ("leaderboard", "history"):
        said = await read_error(name, "--guild", GUILD, "--limit", limit, DATABASE_URL=url)
        assert said.startswith(f"{limit} is not a page")
