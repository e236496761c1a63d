"""Run commands as a user who may only read: ``python -m helpers.read_only_reader COPY FILE``.

Permissions do not bind root, so root becomes nobody first. Nobody may not be able to import from
root's Python, so every command is run once on a copy before that.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from asyncclick.testing import CliRunner

from bytes_squads.cli import commands

from .sample_data import ALICE, GUILD

NOBODY = 65534

READING = (
    ("verify",),
    ("verify", "--guild", GUILD),
    ("leaderboard", "--guild", GUILD),
    ("balance", "--guild", GUILD, ALICE),
    ("history", "--guild", GUILD),
    ("history", "--guild", GUILD, "--user", ALICE),
    ("squads", "--guild", GUILD, "--all"),
    ("config", "show", "--guild", GUILD),
    ("export", "--guild", GUILD),
)
WRITING = (
    ("grant", "--guild", GUILD, ALICE, "5"),
    ("charge", "--guild", GUILD, ALICE, "5"),
    ("config", "set", "--guild", GUILD, "--daily-amount", "5"),
)


async def run_all(file: str) -> list[tuple[str, int, str, str]]:
    """Return each command with its exit code, stdout and stderr."""
    answers = []
    for words in (*READING, *WRITING):
        result = await CliRunner(env={"DATABASE_URL": f"sqlite://{file}"}).invoke(
            commands, words, prog_name="bytes-squads"
        )
        answers.append((" ".join(words), result.exit_code, result.stdout, result.stderr))
    return answers


if __name__ == "__main__":
    _, copy, original = sys.argv
    asyncio.run(run_all(copy))
    if os.name != "nt" and os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    print(json.dumps(asyncio.run(run_all(original))))
