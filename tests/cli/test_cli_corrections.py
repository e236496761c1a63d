"""The commands that correct, import, export and delete: changes and confirmations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers import ALICE, BOB, CAROL, GUILD, OTHER_GUILD
from helpers.sample_guild import dump, open_database

from bytes_squads import BytesConfigUpdate, SquadOperations

pytest.importorskip("rich")
pytest.importorskip("asyncclick")

from helpers.cli_runner import read_error, read_json, read_text, run_command

NEW = "200000000000000077"
REFUSED = "Error: not confirmed, nothing was changed (--yes confirms)\n"


async def rows(url: str, guild: str | None = None) -> Any:
    """Every row of the database, or of a guild."""
    async with open_database(url):
        return await dump(guild)


async def test_set_balance_is_a_grant_a_charge_or_nothing(populated_url: str) -> None:
    """It prints the new balance."""
    words = ("set-balance", "--guild", GUILD, CAROL)
    for balance, kind in ((1_000, "grant"), (0, "charge")):
        row = await read_json(*words, balance, "--reason", "fix", DATABASE_URL=populated_url)
        assert (row["kind"], row["reason"], row["balance"]) == (kind, "fix", balance)
    before = await rows(populated_url)
    again = await read_json(*words, 0, DATABASE_URL=populated_url)
    assert again == {"id": None, "balance": 0}
    text = await read_text(*words, 0, url=populated_url)
    assert text.startswith(f"member {CAROL} has 0 bytes now: ")
    assert await rows(populated_url) == before
    await read_error(*words, 2**63, DATABASE_URL=populated_url)
    assert await rows(populated_url) == before


async def test_reverse_takes_a_row_back_once(populated_url: str) -> None:
    """The second time it is refused."""
    words = ("reverse", "--guild", GUILD)
    async with open_database(populated_url) as money:
        paid = await money.grant(GUILD, CAROL, 40)
        before = await money.find_balance(GUILD, CAROL)
    row = await read_json(*words, paid.id, "--actor", BOB, DATABASE_URL=populated_url)
    assert (row["kind"], row["reverses_id"], row["actor_id"]) == ("reversal", str(paid.id), BOB)
    async with open_database(populated_url) as money:
        after = await money.find_balance(GUILD, CAROL)
        assert (await money.verify()).ok
    assert before is not None
    assert after is not None
    assert after.balance == before.balance - 40
    assert str(paid.id) in await read_error(*words, paid.id, DATABASE_URL=populated_url)


async def test_reset_asks_and_sets_every_balance(populated_url: str) -> None:
    """Without a confirmation nothing changes; --yes confirms."""
    words = ("reset", "--guild", GUILD, "--balance", 7)
    before = await rows(populated_url)
    for answer in (b"n\n", b""):
        asked = await run_command(*words, given=answer, DATABASE_URL=populated_url)
        assert asked.exit_code == 1
        assert "Set the balance of all 4 members" in asked.stderr
        assert asked.stderr.endswith(REFUSED)
    assert await rows(populated_url) == before

    agreed = await run_command(*words, given=b"y\n", DATABASE_URL=populated_url)
    assert agreed.stdout == "changed 4 balances to 7 bytes\n"
    again = await read_json(*words, "--yes", DATABASE_URL=populated_url)
    assert again == {"changed": 0}
    to_start = ("reset", "--guild", GUILD, "--yes")
    assert await read_json(*to_start, DATABASE_URL=populated_url) == {"changed": 4}
    async with open_database(populated_url) as money:
        assert {entry.balance for entry in await money.get_leaderboard(GUILD)} == {100}


async def test_members_left_and_back(populated_url: str) -> None:
    """The seat is given up; an unknown member is an error."""
    words = ("members", "left", "--guild", GUILD)
    assert await read_json(*words, ALICE, DATABASE_URL=populated_url) == {"left": True}
    async with open_database(populated_url) as money:
        assert await money.get_rank(GUILD, ALICE) is None
        assert await SquadOperations().get_user_squad(GUILD, ALICE) is None
    assert await read_json(*words, ALICE, "--back", DATABASE_URL=populated_url) == {"left": False}
    async with open_database(populated_url) as money:
        assert await money.get_rank(GUILD, ALICE)
    said = await read_error(*words, NEW, DATABASE_URL=populated_url)
    assert said == f"guild {GUILD} has no member {NEW}"


async def test_members_export_is_json_for_both(populated_url: str) -> None:
    """In several lines for people, in one for scripts; without control characters."""
    words = ("members", "export", "--guild", GUILD, BOB)
    data = await read_json(*words, DATABASE_URL=populated_url)
    shown = await run_command(*words, DATABASE_URL=populated_url)
    assert json.loads(shown.stdout) == data
    assert shown.stdout.count("\n") > 10
    assert all(line.isprintable() for line in shown.stdout.splitlines())
    assert data["user_id"] == data["balance"]["user_id"] == BOB
    assert {row["kind"] for row in data["transactions"]} >= {"starting", "transfer", "squad"}


async def test_members_erase_asks_and_leaves_a_pseudonym(populated_url: str) -> None:
    """The person is replaced by a pseudonym, and the ledger is consistent."""
    words = ("members", "erase", "--guild", GUILD, ALICE)
    before = await rows(populated_url)
    asked = await run_command(*words, given=b"n\n", DATABASE_URL=populated_url)
    assert (asked.exit_code, asked.stderr.endswith(REFUSED)) == (1, True)
    assert f"Erase {ALICE}, who has " in asked.stderr
    assert await rows(populated_url) == before

    pseudonym = (await read_json(*words, "--yes", DATABASE_URL=populated_url))["pseudonym"]
    after = repr(await rows(populated_url))
    assert ALICE not in after
    assert pseudonym in after
    async with open_database(populated_url) as money:
        assert (await money.verify()).ok


async def test_guild_delete_asks_and_deletes_that_guild(populated_url: str) -> None:
    """Another guild's rows stay."""
    async with open_database(populated_url) as money:
        await money.grant(OTHER_GUILD, ALICE, 5)
        others = await dump(OTHER_GUILD)
    words = ("guild", "delete", "--guild", GUILD)
    before = await rows(populated_url)
    asked = await run_command(*words, given=b"n\n", DATABASE_URL=populated_url)
    assert (asked.exit_code, asked.stderr.endswith(REFUSED)) == (1, True)
    assert "with its 4 members" in asked.stderr
    assert await rows(populated_url) == before
    assert await read_json(*words, "--yes", DATABASE_URL=populated_url) == {"deleted": GUILD}
    assert await rows(populated_url) == others


async def test_import_balances_sets_those_of_the_file(populated_url: str, tmp_path: Path) -> None:
    """New and known members get the balances of the file; a repetition changes nothing."""
    file = tmp_path / "old.csv"
    file.write_text(f"\ufeffuser_id,balance,username\r\n{NEW},0,neu\r\n{BOB}, 5000\r\n", "utf-8")
    async with open_database(populated_url) as money:
        alice = await money.find_balance(GUILD, ALICE)
    words = ("import-balances", file, "--guild", GUILD)
    said = await read_json(*words, DATABASE_URL=populated_url)
    assert said == {"members": 2, "changed": 2}
    assert await read_json(*words, DATABASE_URL=populated_url) == {"members": 2, "changed": 0}
    text = await read_text(*words, url=populated_url)
    assert text == f"imported 2 balances into guild {GUILD}, 0 of them changed"
    async with open_database(populated_url) as money:
        for user, balance in ((NEW, 0), (BOB, 5000)):
            member = await money.find_balance(GUILD, user)
            assert member is not None
            assert member.balance == balance
        (newest,) = await money.get_transaction_history(GUILD, BOB, limit=1)
        assert newest.reason == "balance imported"
        assert await money.find_balance(GUILD, ALICE) == alice
        assert (await money.verify()).ok


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the file has no balances"),
        ("user_id,balance\n", "line 1: the file has no balances"),
        ("2,5\nx,5\n", "line 2: 'x' is not a Discord id"),
        ("2,5\n\n3,5.5\n", "line 3: '5.5' is not a whole number"),
        ("2,5\n3,-1\n", "line 2: -1 is not a balance"),
        (f"2,{2**63}\n", f"line 1: {2**63} is not a balance"),
        ("2,5\n3,5\n2,6\n", "line 3: 2 is in line 1 already"),
        ("2\n", "line 1: 1 columns, expected user_id,balance,username"),
        (f"2,5\n3,5,{'x' * 101}\n", "line 2: username is not a text"),
        ('2,5,"a\nb\n3,5\n', "line 1: not CSV: unexpected end of data"),
    ],
)
async def test_import_balances_names_the_wrong_line(
    populated_url: str, tmp_path: Path, text: str, message: str
) -> None:
    """And imports nothing."""
    before = await rows(populated_url)
    file = tmp_path / "old.csv"
    file.write_text(text, "utf-8")
    said = await read_error("import-balances", file, "--guild", GUILD, DATABASE_URL=populated_url)
    assert said.startswith(message)
    assert await rows(populated_url) == before


async def test_import_balances_is_all_or_nothing(populated_url: str, tmp_path: Path) -> None:
    """A line that an operation refuses undoes those before it; so does one that is not text."""
    async with open_database(populated_url) as money:
        await money.update_config(OTHER_GUILD, BytesConfigUpdate(starting_balance=2**63 - 1))
        await money.get_balance(OTHER_GUILD, BOB)
        await money.set_balance(OTHER_GUILD, BOB, 0)
    before = await rows(populated_url)
    file = tmp_path / "old.csv"
    words = ("import-balances", file, "--guild", OTHER_GUILD)
    file.write_text(f"{NEW},5\n{BOB},7\n", "utf-8")
    assert (await read_error(*words, DATABASE_URL=populated_url)).startswith("line 2: ")
    file.write_bytes(b"2,5\n3,5,\xff\n")
    assert (await read_error(*words, DATABASE_URL=populated_url)).startswith("line 2: ")
    assert await rows(populated_url) == before
    missing = ("import-balances", tmp_path / "no.csv", "--guild", GUILD)
    assert "cannot read " in await read_error(*missing, DATABASE_URL=populated_url)
