"""The command line, as a process with its output in a pipe."""

from __future__ import annotations

import io
import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.migrations import VERSIONS
from helpers.sample_guild import open_database

import bytes_squads
from bytes_squads import BytesBalance, BytesOperations, LedgerReport

pytest.importorskip("rich")
pytest.importorskip("asyncclick")

from helpers.cli_runner import (
    PASSWORD,
    TERMINAL_WIDTH,
    UNREACHABLE,
    Result,
    Run,
    make_command_line,
    make_environment,
    read_json,
    run_command,
)
from rich.console import Console

from bytes_squads.cli import tables
from bytes_squads.schemas import LedgerDiscrepancy


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command line in an empty folder; keyword arguments are environment variables."""

    def run_it(*arguments: str, **variables: str) -> Result:
        return subprocess.run(
            make_command_line(*arguments),
            cwd=tmp_path,
            env=make_environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return run_it


async def tamper(url: str, user_id: str, amount: int) -> None:
    """Put bytes into a balance that no ledger row accounts for."""
    await bytes_squads.init(url)
    member = await BytesBalance.get(user_id=user_id)
    await BytesBalance.filter(id=member.id).update(
        balance=member.balance + amount, total_received=member.total_received + amount
    )
    await bytes_squads.close()


# demo ---------------------------------------------------------------------------------------------


def test_demo_prints_its_tables_and_a_consistent_ledger(run: Run, tmp_path: Path) -> None:
    """Without a URL it replaces its own file and ignores DATABASE_URL."""
    file = tmp_path / "bytes_squads_demo.db"
    file.write_text("left over from the last time")

    result = run("demo", DATABASE_URL=UNREACHABLE)

    assert result.stderr == ""
    assert result.returncode == 0
    assert str(file) in result.stdout
    for title in ("Leaderboard", "Squad leaderboard", "History of mira", "Refused"):
        assert re.search(f"^{title}", result.stdout, re.MULTILINE), title
    assert re.search(r"Verified 60 balances against [\d,]+ ledger rows: all agree", result.stdout)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]

    *lines, next_command = [line for line in result.stdout.splitlines() if str(file) not in line]
    assert max(map(len, lines)) <= TERMINAL_WIDTH
    ledger = run(*shlex.split(next_command.removeprefix("  bytes-squads ")))
    assert ledger.returncode == 0, ledger.stderr
    assert ledger.stdout.startswith("Ledger")
    assert "\x1b" not in result.stdout

    troubles = {"StorageUnavailableError", "OutcomeUnknownError"}
    families = {"BytesSquadsError", "InvalidInputError", "RefusedError", "StorageError"}
    no_command = {"TransactionNotFoundError", "AlreadyReversedError", "NotReversibleError"}
    errors = {name for name in bytes_squads.__all__ if name.endswith("Error")}
    refusals = errors - families - troubles - no_command
    assert refusals == {name for name in refusals if name in result.stdout}


@pytest.mark.postgres
def test_demo_uses_a_new_guild_each_time(run: Run, empty_url: str) -> None:
    """On a given database it changes no existing row."""
    first, second = (run("demo", "--database-url", empty_url) for _ in range(2))
    everything = run("verify", "--database-url", empty_url)

    assert (first.stderr, second.stderr, everything.stderr) == ("", "", "")
    assert "Verified 60 balances" in first.stdout
    assert "Verified 60 balances" in second.stdout
    assert "Verified 120 balances" in everything.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_demo_that_cannot_make_its_file_is_one_line(run: Run, tmp_path: Path) -> None:
    """If its path is not a file, the demo fails in one line."""
    (tmp_path / "bytes_squads_demo.db").mkdir()
    result = run("demo")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: cannot replace ")
    assert result.stderr.count("\n") == 1


def test_demo_that_is_interrupted_is_one_line(tmp_path: Path) -> None:
    """Ctrl-C prints one line and exits with 130."""
    with subprocess.Popen(
        make_command_line("demo"),
        cwd=tmp_path,
        env=make_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        assert "A new SQLite database" in process.stdout.readline()
        assert "Simulating" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "interrupted\n")


# upgrade ------------------------------------------------------------------------------------------


def test_upgrade_prints_what_it_applied(run: Run, empty_url: str) -> None:
    """The URL is taken from the option or from DATABASE_URL; no password is printed."""
    first = run("upgrade", "--database-url", empty_url)
    second = run("upgrade", DATABASE_URL=empty_url)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    *applied, up_to_date = first.stdout.splitlines()
    assert applied
    assert all(re.fullmatch(r"applied \d+_\d+_\w+\.py", line) for line in applied)
    assert up_to_date.endswith("is up to date")
    assert second.stdout == up_to_date + "\n"


# verify -------------------------------------------------------------------------------------------


async def test_verify_names_the_member_whose_balance_differs(
    run: Run, migrated_url: str, ids: Any
) -> None:
    """It exits with 0 without and with 1 with a discrepancy, also for one guild."""
    await bytes_squads.init(migrated_url)
    await BytesOperations().get_balance(ids.guild, ids.alice)
    await BytesOperations().get_balance(ids.other_guild, ids.bob)
    await bytes_squads.close()

    fine = run("verify", "--database-url", migrated_url)
    assert fine.stdout == "Verified 2 balances against 2 ledger rows: all agree.\n"
    assert fine.returncode == 0

    await tamper(migrated_url, ids.alice, 5)

    off = run("verify", "--database-url", migrated_url)
    assert re.search(rf"{ids.guild} +{ids.alice} +balance +100 +105", off.stdout)
    assert ids.bob not in off.stdout
    assert (off.returncode, off.stderr) == (1, "")

    codes = [
        run("verify", "--guild", guild, DATABASE_URL=migrated_url).returncode
        for guild in (ids.guild, ids.other_guild)
    ]
    assert codes == [1, 0]


def test_verify_cuts_a_long_report(ids: Any) -> None:
    """A thousand discrepancies are truncated."""
    line = LedgerDiscrepancy(ids.guild, ids.alice, "balance", 1, 2)
    out = io.StringIO()
    Console(file=out, width=TERMINAL_WIDTH).print(
        tables.ledger_report(LedgerReport(1, 1, (line,) * 1000))
    )
    assert out.getvalue().count(ids.alice) == tables.SHOWN_DISCREPANCIES
    summary = " ".join(out.getvalue().split())
    assert summary.endswith("1,000 discrepancies (the first 50 are shown).")


def test_verify_makes_no_file(run: Run, tmp_path: Path) -> None:
    """A misspelled path is an error, not a new empty database."""
    result = run("verify", "--database-url", "sqlite://misspelled.db")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "Error: there is no file misspelled.db\n"
    assert list(tmp_path.iterdir()) == []


async def test_verify_prints_json_for_scripts(migrated_url: str, ids: Any) -> None:
    """Numbers as numbers; the exit code says the same as ``ok``."""
    async with open_database(migrated_url) as money:
        await money.get_balance(ids.guild, ids.alice)
    fine = await read_json("verify", DATABASE_URL=migrated_url)
    assert fine == {"ok": True, "members": 1, "transactions": 1, "discrepancies": []}

    await tamper(migrated_url, ids.alice, 5)

    off = await run_command("verify", "--json", "--guild", ids.guild, DATABASE_URL=migrated_url)
    number = {"guild_id": ids.guild, "user_id": ids.alice, "expected": 100, "found": 105}
    fields = [{**number, "field": "balance"}, {**number, "field": "total_received"}]
    assert off.exit_code == 1
    assert json.loads(off.stdout) == {**fine, "ok": False, "discrepancies": fields}


async def test_upgrade_prints_json_for_scripts(empty_url: str) -> None:
    """Those that were applied, oldest first; an empty list when there was nothing to do."""
    first = await read_json("upgrade", "--database-url", empty_url)
    second = await read_json("upgrade", "--database-url", empty_url)
    assert first["applied"] == VERSIONS
    assert second == {"applied": []}


# Errors and help ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo", "upgrade", "verify"])
@pytest.mark.parametrize("url", [UNREACHABLE, f"mysql://bot:{PASSWORD}@127.0.0.1/bot"])
def test_error_is_one_line_without_the_password(run: Run, name: str, url: str) -> None:
    """The error of a database that cannot be opened is on stderr, and the exit code is 1."""
    result = run(name, "--database-url", url)
    assert result.returncode == 1
    assert re.fullmatch(r"Error: .+\n", result.stderr)
    assert PASSWORD not in result.stdout + result.stderr


def test_invalid_command_line_exits_with_2(run: Run) -> None:
    """A wrong command line exits with 2, a refusal with 1."""
    results = [run("frobnicate"), run("verify", "--guild", "12 "), run("demo", "--guild")]
    assert [result.returncode for result in results] == [2, 2, 2]
    assert "is not a Discord id" in results[1].stderr


def test_help_has_examples_and_the_exit_codes(run: Run) -> None:
    """--help has examples and the exit codes."""
    result = run("--help")
    assert result.returncode == 0
    for part in ("bytes-squads demo", "upgrade --database-url postgres://", "Exit codes:"):
        assert part in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= TERMINAL_WIDTH


def test_version_is_printed(run: Run) -> None:
    """It is that of the installed package."""
    result = run("--version")
    assert re.fullmatch(r"bytes-squads, version (\d+\.\d+\.\d+|\(not installed\))\n", result.stdout)
