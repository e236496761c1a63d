"""The operator's command line: ``bytes-squads``.

One file for each group of commands. Exit codes: 0 for success, 1 when the database or an operation
fails or `verify` finds a difference, 2 for a wrong command line, 130 when interrupted.
"""

from __future__ import annotations

import asyncclick as click

from .._interrupt import handle_interrupts
from . import archives, balance_file, database, guilds, members, payments, people, squads
from .errors import OneLineErrorGroup

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

EXAMPLES = """\b
Examples:
  bytes-squads demo
  bytes-squads upgrade --database-url postgres://bot:secret@localhost/bot
  DATABASE_URL=sqlite://bot.db bytes-squads verify --guild 81384788765712384
  bytes-squads leaderboard --help

\b
Exit codes:
  0    success
  1    the database or an operation failed, or verify found a difference
  2    wrong command line
  130  interrupted
"""


@click.group(cls=OneLineErrorGroup, context_settings=HELP, epilog=EXAMPLES)
@click.version_option(database.package_version(), prog_name="bytes-squads")
def commands() -> None:
    """Manage guild currencies and squads of Discord bots."""


for command in (
    database.demo_command,
    database.upgrade,
    database.distribute,
    database.status,
    database.verify,
    members.leaderboard,
    members.balance,
    members.history,
    payments.grant,
    payments.charge,
    payments.set_balance,
    payments.reset,
    payments.reverse,
    people.members,
    guilds.config,
    squads.squads,
    guilds.guilds,
    guilds.stats,
    guilds.guild,
    archives.export_command,
    archives.import_command,
    balance_file.import_balances,
):
    commands.add_command(command)


def main() -> None:
    """Run the command line and exit with its code."""
    handle_interrupts()
    commands(prog_name="bytes-squads")
