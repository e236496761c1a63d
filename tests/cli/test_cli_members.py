"""The commands about members: tables, JSON and refusals."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from helpers import ALICE, BOB, CAROL, GUILD, OTHER_GUILD
from helpers.sample_guild import HOSTILE_NAME, dump, open_database

from bytes_squads import BytesConfigUpdate, BytesTransaction, GuildOperations

pytest.importorskip("rich")
pytest.importorskip("asyncclick")

from helpers.cli_runner import read_error, read_json, read_text, run_command

NOBODY = "999"


async def rows(url: str) -> Any:
    """Every row of the database."""
    async with open_database(url):
        return await dump()


# leaderboard --------------------------------------------------------------------------------------


async def test_leaderboard_shows_the_guild(populated_url: str) -> None:
    """By balance; a page of it, and nothing for a guild that is not there."""
    board = ("leaderboard", "--guild", GUILD)
    async with open_database(populated_url) as money:
        entries = await money.get_leaderboard(GUILD)
    expected = [
        {"rank": entry.rank, "user_id": entry.user_id, "balance": entry.balance}
        for entry in entries
    ]

    assert await read_json(*board, DATABASE_URL=populated_url) == expected
    page = ("--limit", 2, "--offset", 1)
    assert await read_json(*board, *page, DATABASE_URL=populated_url) == expected[1:3]
    assert await read_json("leaderboard", "--guild", OTHER_GUILD, DATABASE_URL=populated_url) == []

    text = await read_text(*board, url=populated_url)
    assert text.startswith("Leaderboard # member bytes")
    for entry in entries:
        assert f"{entry.rank} {entry.user_id} {entry.balance}" in text


# balance ------------------------------------------------------------------------------------------


async def test_balance_shows_the_member(populated_url: str) -> None:
    """It has the rank, as a table and as JSON."""
    async with open_database(populated_url) as money:
        member = await money.get_balance(GUILD, ALICE)
        place = await money.get_rank(GUILD, ALICE)
    assert place is not None

    found = await read_json("balance", "--guild", GUILD, ALICE, DATABASE_URL=populated_url)
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
        "left_at": None,
    }

    text = await read_text("balance", "--guild", GUILD, ALICE, url=populated_url)
    assert f"Member {ALICE} of guild {GUILD} balance {member.balance} bytes" in text
    assert "last daily claim 2026-03-03 streak 2 d" in text
    assert "last daily claim never" in await read_text(
        "balance", "--guild", GUILD, BOB, url=populated_url
    )


async def test_balance_shows_a_member_who_left(populated_url: str) -> None:
    """With the balance, and without a rank."""
    async with open_database(populated_url):
        await GuildOperations().set_member_left(GUILD, ALICE)

    found = await read_json("balance", "--guild", GUILD, ALICE, DATABASE_URL=populated_url)
    assert found["rank"] is None
    text = await read_text("balance", "--guild", GUILD, ALICE, url=populated_url)
    assert f"balance {found['balance']} bytes rank none, left the guild" in text


@pytest.mark.parametrize(("guild", "user"), [(GUILD, NOBODY), (OTHER_GUILD, ALICE)])
async def test_balance_creates_no_member(populated_url: str, guild: str, user: str) -> None:
    """An unknown member, or a guild misspelled, is an error, and no row."""
    before = await rows(populated_url)
    said = await read_error("balance", "--guild", guild, user, DATABASE_URL=populated_url)
    assert said == f"guild {guild} has no member {user}"
    assert await rows(populated_url) == before


# history ------------------------------------------------------------------------------------------


async def test_history_is_newest_first(populated_url: str) -> None:
    """Of the guild or of a member, page after page, with every id as a string."""
    async with open_database(populated_url) as money:
        ledger = await money.get_transaction_history(GUILD)
        alices = await money.get_transaction_history(GUILD, ALICE)

    found = await read_json("history", "--guild", GUILD, DATABASE_URL=populated_url)
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
        "reverses_id": None,
    }
    pages, before = [], ()
    while page := await read_json(
        "history", "--guild", GUILD, "--limit", 5, *before, DATABASE_URL=populated_url
    ):
        pages += page
        before = ("--before", page[-1]["id"])
    assert pages == found
    of_alice = await read_json(
        "history", "--guild", GUILD, "--user", ALICE, DATABASE_URL=populated_url
    )
    assert [row["id"] for row in of_alice] == [str(row.id) for row in alices]
    assert (
        await read_json("history", "--guild", GUILD, "--user", NOBODY, DATABASE_URL=populated_url)
        == []
    )


async def test_history_escapes_control_characters_in_reason(populated_url: str) -> None:
    """Escape sequences are written out; quotes, markup and emoji are what they are."""
    whole = await read_text("history", "--guild", GUILD, url=populated_url)
    message = 'Robert"); \\x1b[31mDROP\\r\\n\\u202e 🎲 [bold]:smile: möwe'
    assert f"2026-03-02 12:00 transfer 25 {ALICE} {BOB} {message[:9]}" in whole
    wide = await run_command("history", "--guild", GUILD, DATABASE_URL=populated_url, COLUMNS="200")
    assert message in wide.stdout
    seen = {
        user: await read_text("history", "--guild", GUILD, "--user", user, url=populated_url)
        for user in (ALICE, BOB)
    }
    assert f"transfer -25 {BOB}" in seen[ALICE]
    assert f"transfer +25 {ALICE}" in seen[BOB]


async def test_history_before_an_unknown_row_is_refused(populated_url: str) -> None:
    """A row of another guild is not found."""
    row = str(UUID(int=7))
    said = await read_error(
        "history", "--guild", GUILD, "--before", row, DATABASE_URL=populated_url
    )
    assert said == f"the ledger of guild {GUILD} has no row {row}"


async def test_history_by_kind_and_since(populated_url: str) -> None:
    """A date begins at midnight UTC; a time may have a zone."""
    words = ("history", "--guild", GUILD)
    all_rows = await read_json(*words, DATABASE_URL=populated_url)
    grants = await read_json(*words, "--kind", "grant", DATABASE_URL=populated_url)
    assert grants == [row for row in all_rows if row["kind"] == "grant"] != []

    for since in ("2026-03-03", "2026-03-03T05:30+05:30"):
        late = await read_json(*words, "--since", since, DATABASE_URL=populated_url)
        assert late == [row for row in all_rows if row["created_at"] >= "2026-03-03"]
        assert 0 < len(late) < len(all_rows)


async def test_history_as_csv_is_safe_to_open(populated_url: str) -> None:
    """Columns as in JSON; nothing that a terminal or a spreadsheet would interpret."""
    words = ("history", "--guild", GUILD)
    async with open_database(populated_url) as money:
        await money.grant(GUILD, ALICE, 5, reason='=HYPERLINK("x"), cheap')
    as_json = await read_json(*words, DATABASE_URL=populated_url)
    result = await run_command(*words, "--csv", DATABASE_URL=populated_url)
    found = list(csv.DictReader(io.StringIO(result.stdout)))

    assert (result.exit_code, result.stderr) == (0, "")
    assert [list(row) for row in found] == [list(row) for row in as_json]
    assert [row["id"] for row in found] == [row["id"] for row in as_json]
    assert [int(row["amount"]) for row in found] == [row["amount"] for row in as_json]
    assert found[0]["created_at"] == as_json[0]["created_at"]
    assert (found[0]["reason"], found[0]["actor_id"]) == ('\'=HYPERLINK("x"), cheap', "")
    assert all(line.isprintable() for line in result.stdout.splitlines())

    empty = await run_command(
        "history", "--guild", OTHER_GUILD, "--csv", DATABASE_URL=populated_url
    )
    assert empty.stdout == ",".join(as_json[0]) + "\n"


# grant, charge ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "change"), [("grant", 30), ("charge", -30)])
async def test_grant_and_charge_move_bytes_and_print_the_ledger_row(
    populated_url: str, order: str, change: int
) -> None:
    """With reason, actor and name, and once only under one key."""
    options = ("--reason", "prize", "--actor", BOB, "--key", "order-1", "--username", "carol")
    words = (order, "--guild", GUILD, CAROL, 30, *options)
    async with open_database(populated_url) as money:
        before = (await money.get_balance(GUILD, CAROL)).balance

    row = await read_json(*words, DATABASE_URL=populated_url)
    assert await read_json(*words, DATABASE_URL=populated_url) == row
    text = await read_text(*words, url=populated_url)

    done = {
        "grant": f"granted 30 bytes to member {CAROL}, who has {before + 30} now: ",
        "charge": f"charged member {CAROL} 30 bytes, who has {before - 30} now: ",
    }
    assert text.startswith(done[order])
    assert text.endswith(f"ledger row {row['id']}")
    age = datetime.now(UTC) - datetime.fromisoformat(row.pop("created_at"))
    assert abs(age.total_seconds()) < 600
    member, system = ("receiver", "giver") if change > 0 else ("giver", "receiver")
    assert row == {
        "balance": before + change,
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
        "reverses_id": None,
    }
    async with open_database(populated_url) as money:
        assert (await money.get_balance(GUILD, CAROL)).balance == before + change
        assert await BytesTransaction.filter(guild_id=GUILD, id=row["id"]).count() == 1
        assert (await money.verify()).ok


@pytest.mark.parametrize("order", ["grant", "charge"])
async def test_grant_and_charge_in_a_new_guild_warn(populated_url: str, order: str) -> None:
    """Once, on stderr: the guild's id may be misspelled. The guild's currency is named."""
    async with open_database(populated_url) as money:
        await money.update_config(
            OTHER_GUILD, BytesConfigUpdate(currency_name="gems", currency_emoji="<:gem:31>")
        )
    words = (order, "--guild", OTHER_GUILD, ALICE, 5)
    first = await run_command(*words, DATABASE_URL=populated_url)
    second = await run_command(*words, DATABASE_URL=populated_url)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert f"Warning: guild {OTHER_GUILD} had no members" in first.stderr
    assert "5 gems :gem:" in first.stdout
    assert second.stderr == ""
    page = await read_text("leaderboard", "--guild", OTHER_GUILD, url=populated_url)
    assert page.startswith("Leaderboard # member gems")


async def test_grant_and_charge_that_are_refused_change_nothing(populated_url: str) -> None:
    """The reason is the operation's own, in one line."""
    before = await rows(populated_url)
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
    for (name, *words), message in orders.items():
        if message is None:  # click takes a word with a hyphen for an option
            await read_error(name, "--guild", GUILD, *words, code=2, DATABASE_URL=populated_url)
        else:
            assert message in await read_error(
                name, "--guild", GUILD, *words, DATABASE_URL=populated_url
            )
    assert await rows(populated_url) == before


# Wrong words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
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
        (["history", "--guild", GUILD, "--since", "may"], "'may' is not a date or a time"),
        (["history", "--guild", GUILD, "--kind", "gift"], "'gift' is not one of"),
        (["history", "--guild", GUILD, "--csv", "--json"], "give --csv or --json, not both"),
        (["grant", "--guild", GUILD, ALICE], "Missing argument 'AMOUNT'"),
        (["grant", "--guild", GUILD, ALICE, "1_000"], "'1_000' is not a whole number"),
        (["charge", "--guild", GUILD, ALICE, "5", "--actor", "x"], "'x' is not a Discord id"),
        (["grant", "--guild", GUILD, ALICE, "5", "--resaon", "x"], "--resaon"),
    ],
)
async def test_invalid_argument_is_one_line(words: list[str], message: str) -> None:
    """It exits with 2, before any database is looked for, and shows nothing raw."""
    assert message in await read_error(*words, code=2)


@pytest.mark.parametrize("limit", ["0", "10001"])
async def test_page_options_are_limited(populated_url: str, limit: str) -> None:
    """They are those of the operations."""
    for name in ("leaderboard", "history"):
        said = await read_error(
            name, "--guild", GUILD, "--limit", limit, DATABASE_URL=populated_url
        )
        assert said.startswith(f"{limit} is not a page")
