"""The operator's command line: ``bytes-squads``.

One file for each kind of thing that commands are about. Exit codes: 0 when all is well, 1 when the
database or an operation refuses or `verify` finds something off, 2 for a wrong command line,
130 when interrupted.
"""

from __future__ import annotations

from importlib import metadata

import asyncclick as click

from . import archives, database, guilds, members
from .errors import Commands, interrupted

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

EXAMPLES = """\b
Examples:
  bytes-squads demo
  bytes-squads upgrade --database-url postgres://bot:secret@localhost/bot
  DATABASE_URL=sqlite://bot.db bytes-squads verify --guild 81384788765712384
  bytes-squads leaderboard --help

\b
Exit codes:
  0    all is well
  1    refused: the database, or an operation; or verify found something off
  2    wrong command line
  130  interrupted
"""


def _version() -> str:
    try:
        return metadata.version("bytes_squads")
    except metadata.PackageNotFoundError:  # pragma: no cover  # run from a folder of sources
        return "(not installed)"


@click.group(cls=Commands, context_settings=HELP, epilog=EXAMPLES)
@click.version_option(_version(), prog_name="bytes-squads")
def commands() -> None:
    """Guild currencies and squads for Discord bots: migrate, look, pay, move a guild."""


for command in (
    database.demo_command,
    database.upgrade,
    database.verify,
    members.leaderboard,
    members.balance,
    members.history,
    members.grant,
    members.charge,
    guilds.config,
    guilds.squads,
    archives.export_command,
    archives.import_command,
):
    commands.add_command(command)


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        commands(prog_name="bytes-squads")
    except KeyboardInterrupt:  # pragma: no cover  # tested with a signal, which ends the measuring
        interrupted()
