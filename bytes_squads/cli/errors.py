"""What all commands have in common: how they fail, and with which exit code."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import asyncclick as click

from .. import BytesSquadsError
from ..archive.format import ArchiveError
from .sanitize import one_line

INTERRUPTED = 130


class Commands(click.Group):
    """A group of commands that tells each failure in one line on stderr.

    A refusal exits with 1, a wrong command line with 2, an interruption with 130.
    """

    async def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what this package refuses is no bug, and shows no traceback."""
        try:
            return await super().invoke(ctx)
        except (BytesSquadsError, ArchiveError) as error:
            raise click.ClickException(str(error)) from error

    async def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line and exit."""
        try:
            code = await super().main(*args, **{**options, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            hint = ""
            if isinstance(error, click.UsageError) and error.ctx is not None:
                hint = f" (see {error.ctx.command_path} --help)"
            click.echo(f"Error: {one_line(error.format_message())}{hint}", err=True)
            sys.exit(error.exit_code)
        except click.Abort:
            interrupted()
        sys.exit(code if isinstance(code, int) else 0)


def interrupted() -> NoReturn:
    """Say so and exit, as shells have it."""
    click.echo("interrupted", err=True)
    sys.exit(INTERRUPTED)
