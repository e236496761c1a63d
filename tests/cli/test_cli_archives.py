"""The commands that move a guild: files, pipes, signals and messages."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
from helpers import ALICE, BOB, GUILD, OTHER_GUILD
from helpers.sample_guild import dump, open_database
from helpers.schema_introspection import query

from bytes_squads import BytesBalance, BytesConfig, BytesTransaction, Squad, SquadMembership

pytest.importorskip("rich")
pytest.importorskip("asyncclick")

from helpers.cli_runner import list_folder, read_error, read_json, run_command, start_command

LONG = 120.0
"""Seconds after which a process hangs; they take a few."""

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX has signals and terminals")


@pytest.fixture
async def target_url(tmp_path: Path) -> str:
    """Another database, migrated and empty, a SQLite file."""
    url = f"sqlite://{tmp_path / 'target.db'}"
    result = await run_command("upgrade", "--database-url", url)
    assert result.exit_code == 0
    return url


def text(path: Path) -> str:
    """What a file holds."""
    return path.read_text("ascii")


# export and import --------------------------------------------------------------------------------


async def test_export_and_import_through_a_file(
    populated_url: str, target_url: str, tmp_path: Path
) -> None:
    """The imported guild is equal; both commands print the number of rows."""
    file = tmp_path / "guild.jsonl"
    counts = "4 members, 14 ledger rows, 3 squads, 2 memberships"

    went = await run_command(
        "export", "--guild", GUILD, "--output", file, DATABASE_URL=populated_url
    )
    assert (went.exit_code, went.stdout) == (0, "")
    assert went.stderr == f"exported guild {GUILD}: {counts}\n"

    came = await run_command("import", file, "--guild", GUILD, DATABASE_URL=target_url)
    assert (came.exit_code, came.stderr) == (0, "")
    assert came.stdout == f"imported guild {GUILD}: {counts}; the books balance\n"

    assert (await run_command("verify", DATABASE_URL=target_url)).exit_code == 0
    async with open_database(populated_url):
        left = await dump()
    async with open_database(target_url):
        assert await dump() == left


async def test_export_and_import_through_a_pipe(populated_url: str, target_url: str) -> None:
    """From stdout to stdin; messages go to stderr."""
    went = await run_command("export", "--guild", GUILD, DATABASE_URL=populated_url)
    assert went.exit_code == 0
    assert went.stderr.startswith(f"exported guild {GUILD}: ")
    kinds = [json.loads(line)["type"] for line in went.stdout.splitlines()]
    assert list(dict.fromkeys(kinds)) == [
        *("header", "config", "squad", "balance", "membership", "transaction", "end"),
    ]

    came = await run_command(
        "import", "-", "--json", given=went.stdout_bytes, DATABASE_URL=target_url
    )
    assert (came.exit_code, came.stderr) == (0, "")
    assert json.loads(came.stdout) == {
        "guild_id": GUILD,
        "configs": 1,
        "squads": 3,
        "balances": 4,
        "memberships": 2,
        "transactions": 14,
    }


@on_posix
async def test_export_makes_a_file_for_its_owner_alone(populated_url: str, tmp_path: Path) -> None:
    """A new archive cannot be read by other users of the machine."""
    file = tmp_path / "guild.jsonl"
    await run_command("export", "--guild", GUILD, "--output", file, DATABASE_URL=populated_url)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_export_that_fails_keeps_the_last_file(populated_url: str, tmp_path: Path) -> None:
    """A file is replaced by a complete one or not at all, and nothing else stays behind."""
    file = tmp_path / "guild.jsonl"
    await run_command("export", "--guild", GUILD, "--output", file, DATABASE_URL=populated_url)
    last = text(file)

    said = await read_error(
        "export", "--guild", OTHER_GUILD, "--output", file, DATABASE_URL=populated_url
    )
    assert said == f"this database has no data of guild {OTHER_GUILD}"
    assert text(file) == last

    await run_command("grant", "--guild", GUILD, ALICE, 1, DATABASE_URL=populated_url)
    await run_command("export", "--guild", GUILD, "--output", file, DATABASE_URL=populated_url)
    assert len(text(file).splitlines()) == len(last.splitlines()) + 1
    assert [path.name for path in list_folder(tmp_path)] == [file.name]


async def test_export_and_import_name_an_unusable_file(populated_url: str, tmp_path: Path) -> None:
    """In one line, with the system's own reason."""
    missing = tmp_path / "no" / "such.jsonl"
    said = await read_error(
        "export", "--guild", GUILD, "--output", missing, DATABASE_URL=populated_url
    )
    assert said == f"cannot write {missing}: No such file or directory"
    said = await read_error("import", missing, DATABASE_URL=populated_url)
    assert said == f"cannot read {missing}: No such file or directory"


@on_posix
async def test_import_that_is_refused_changes_nothing(
    populated_url: str, target_url: str, tmp_path: Path
) -> None:
    """The error names the line, the exit code is 1, and nothing is changed."""
    file, broken = tmp_path / "guild.jsonl", tmp_path / "broken.jsonl"
    await run_command("export", "--guild", GUILD, "--output", file, DATABASE_URL=populated_url)
    lines = text(file).splitlines()
    attempts = {
        "\n".join(lines[:9]): "line 10: the closing line is missing: the archive was cut off",
        text(file).replace('"amount":25', '"amount":26'): "the books do not balance: member ",
        "\x1b]0;title\x07": "line 1: the archive was cut off in this line",
    }
    for tampered, counts in attempts.items():
        write(broken, tampered)
        assert (await read_error("import", broken, DATABASE_URL=target_url)).startswith(counts)
    said = await read_error("import", file, "--guild", OTHER_GUILD, DATABASE_URL=target_url)
    assert said == f"line 1: this is an archive of guild {GUILD}, not of guild {OTHER_GUILD}"
    async with open_database(target_url):
        assert not any((await dump()).values())

    said = await read_error("import", file, DATABASE_URL=populated_url)
    assert said.startswith(f"guild {GUILD} is not empty: it has 3 squads, 4 balances, ")


def write(path: Path, content: str) -> None:
    """Make a file hold this."""
    path.write_text(content, "utf-8")


async def test_import_without_tables_names_upgrade(tmp_path: Path, empty_url: str) -> None:
    """Without tables the error names `upgrade`."""
    async with open_database(empty_url):
        pass  # a SQLite file is there now
    file = tmp_path / "guild.jsonl"
    header = {"type": "header", "format": "bytes_squads guild", "version": 1, "guild_id": GUILD}
    write(file, json.dumps({**header, "exported_at": "2026-03-02T12:00:00Z"}) + "\n")
    assert (await read_error("import", file, DATABASE_URL=empty_url)).endswith(
        "run upgrade() first"
    )


# As a process -------------------------------------------------------------------------------------


@on_posix
async def test_export_into_a_closed_pipe_has_no_traceback(populated_url: str) -> None:
    """As in `bytes-squads export … | head -1`."""
    async with open_database(populated_url) as money:
        for _ in range(10):  # more than a pipe holds
            await money.grant_many(GUILD, dict.fromkeys(range(1, 60), 1), reason="x" * 200)
    with start_command("export", "--guild", GUILD, url=populated_url) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b'{"type":"header"')
        process.stdout.close()
        process.stdout = None
        _, errors = process.communicate(timeout=LONG)
    assert (process.returncode, errors) == (1, b"")


@on_posix
@pytest.mark.parametrize("backend", ["sqlite"])
async def test_export_and_import_show_progress_in_a_terminal(
    populated_url: str, target_url: str, tmp_path: Path
) -> None:
    """On stderr only, and only where it is one: pipes and files get sentences."""
    pty = pytest.importorskip("pty")
    file = tmp_path / "guild.jsonl"
    for words, database, title in (
        (("export", "--guild", GUILD, "--output", file), populated_url, b"Exporting"),
        (("import", file), target_url, b"Importing"),
    ):
        reading, writing = pty.openpty()
        with start_command(*words, url=database, stderr=writing) as process:
            os.close(writing)
            seen = b""
            with suppress(OSError):  # a terminal whose other end is closed
                while chunk := os.read(reading, 1024):
                    seen += chunk
            os.close(reading)
            out, _ = process.communicate(timeout=LONG)
        assert process.returncode == 0
        assert title in seen
        assert b"100%" in seen
        assert b"\x1b" not in out


@on_posix
@pytest.mark.parametrize("backend", ["sqlite"])
async def test_import_reads_a_named_pipe(
    populated_url: str, target_url: str, tmp_path: Path
) -> None:
    """As in `bytes-squads import <(gunzip < guild.jsonl.gz)`."""
    archive = (
        await run_command("export", "--guild", GUILD, DATABASE_URL=populated_url)
    ).stdout_bytes
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with start_command("import", pipe, "--json", url=target_url) as process:
        await asyncio.to_thread(pipe.write_bytes, archive)
        out, errors = process.communicate(timeout=LONG)
    assert (process.returncode, errors) == (0, b"")
    assert json.loads(out)["balances"] == 4


async def importing(url: str) -> bool:
    """Whether an import holds what it locks."""
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite://")
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as file:
            try:
                file.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            file.execute("ROLLBACK")
            return False
    locks = await query(
        url,
        "SELECT 1 FROM pg_locks WHERE mode = 'RowExclusiveLock' "
        "AND relation = 'bytes_transactions'::regclass AND pid <> pg_backend_pid()",
    )
    return bool(locks)


def long_archive() -> bytes:
    """A long, truncated archive."""
    header = {"type": "header", "format": "bytes_squads guild", "version": 1, "guild_id": GUILD}
    row = (
        '{"type":"transaction","id":"%s","giver_id":"SYSTEM","giver_username":"SYSTEM",'
        '"receiver_id":"1","receiver_username":"","amount":1,"created_at":"2026-03-02T12:00:00Z",'
        '"kind":"grant"}'
    )
    ids = (f"00000000-0000-7000-8000-{number:012}" for number in range(300_000))
    lines = [json.dumps({**header, "exported_at": "2026-03-02T12:00:00Z"}), *(row % i for i in ids)]
    return "\n".join(lines).encode() + b"\n"


@on_posix
@pytest.mark.parametrize(
    ("end", "code", "said"), [(signal.SIGINT, 130, b"interrupted\n"), (signal.SIGKILL, -9, b"")]
)
async def test_import_that_is_terminated_leaves_nothing(
    migrated_url: str, tmp_path: Path, end: signal.Signals, code: int, said: bytes
) -> None:
    """After SIGINT or SIGKILL nothing is imported, and the guild can be used."""
    file = tmp_path / "long.jsonl"
    await asyncio.to_thread(file.write_bytes, long_archive())
    with start_command("import", file, url=migrated_url) as process:
        async with asyncio.timeout(LONG):
            while not await importing(migrated_url):
                assert process.poll() is None
                await asyncio.sleep(0.02)
        process.send_signal(end)
        out, errors = process.communicate(timeout=LONG)
    assert (process.returncode, out, errors) == (code, b"", said)

    async with open_database(migrated_url) as money:
        assert not any((await dump()).values())
        await money.grant(GUILD, BOB, 1)


@on_posix
async def test_import_interrupted_while_it_waits_for_stdin_ends(target_url: str) -> None:
    """An interrupt ends it while it waits for stdin."""
    with start_command("import", "-", url=target_url, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"x" * 1_000_000)  # more than a pipe holds: so it is being read
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(LONG) == -signal.SIGINT  # of which a shell makes 130


@on_posix
@pytest.mark.parametrize(
    ("beginning", "said"),
    [(b"", "line 1: longer than 1,048,576 bytes"), (b"y\n" * 9, "line 1: Invalid JSON")],
)
async def test_import_command_refuses_an_input_without_end(
    target_url: str, beginning: bytes, said: str
) -> None:
    """An endless input is refused in one line, and does not fill the disk."""
    with start_command("import", "-", url=target_url, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # as soon as the process has seen enough
            process.stdin.write(beginning)
            while True:
                process.stdin.write(bytes(2**16))
        with suppress(BrokenPipeError):
            process.stdin.close()
        assert process.stderr is not None
        counts = process.stderr.read().decode()
        assert process.wait(LONG) == 1

    assert counts.startswith(f"Error: {said}")
    assert counts.count("\n") == 1


@on_posix
async def test_import_command_refuses_a_device_without_end(target_url: str) -> None:
    """A device is checked before it is copied."""
    assert await read_error("import", "/dev/zero", DATABASE_URL=target_url) == (
        "line 1: longer than 1,048,576 bytes"
    )


async def test_import_beside_a_running_bot_works(
    populated_url: str, migrated_url: str, tmp_path: Path
) -> None:
    """A bot in another guild of the same database goes on."""
    file = tmp_path / "guild.jsonl"
    await run_command("export", "--guild", GUILD, "--output", file, DATABASE_URL=populated_url)
    await empty(migrated_url)
    async with open_database(migrated_url) as money:
        with start_command("import", file, url=migrated_url) as process:
            done = 0
            while process.poll() is None:
                await money.grant(OTHER_GUILD, ALICE, 1)
                done += 1
            out, errors = process.communicate(timeout=LONG)
        assert (process.returncode, errors) == (0, b"")
        assert out.endswith(b"the books balance\n")
        assert done > 0
        assert (await money.get_balance(OTHER_GUILD, ALICE)).balance == 100 + done
        assert (await money.verify()).discrepancies == ()


async def empty(url: str) -> None:
    """Take every row out of a database."""
    async with open_database(url):
        for model in (SquadMembership, Squad, BytesBalance, BytesConfig, BytesTransaction):
            await model.all().delete()


async def test_import_prints_json_for_scripts(
    populated_url: str, target_url: str, tmp_path: Path
) -> None:
    """The JSON of the commands is equal before and after the move."""
    file = tmp_path / "guild.jsonl"
    await run_command("export", "--guild", GUILD, "--output", file, DATABASE_URL=populated_url)
    await run_command("import", file, DATABASE_URL=target_url)
    for words in (
        ("leaderboard", "--guild", GUILD),
        ("balance", "--guild", GUILD, ALICE),
        ("history", "--guild", GUILD),
        ("config", "show", "--guild", GUILD),
        ("squads", "--guild", GUILD, "--all"),
        ("verify",),
    ):
        before = await read_json(*words, DATABASE_URL=populated_url)
        assert await read_json(*words, DATABASE_URL=target_url) == before
