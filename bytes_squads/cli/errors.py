"""How commands fail: one line on stderr and an exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import asyncclick as click

from .. import BytesSquadsError
from .._interrupt import INTERRUPTED, InterruptibleBlock
from ..archive.format import ArchiveError
from .sanitize import one_line


class OneLineErrorGroup(click.Group):
    """A group of commands that prints each failure as one line on stderr.

    Exit codes: 1 if the operation failed, 2 for a wrong command line, 130 if interrupted.
    """

    async def invoke(self, ctx: click.Context) -> Any:
        """Run the command; this package's own errors show no traceback."""
        try:
            return await super().invoke(ctx)
        except (BytesSquadsError, ArchiveError) as error:
            raise click.ClickException(str(error)) from error

    async def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line and exit."""
        try:
            with InterruptibleBlock(_cancel_soon()):
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
        except (click.Abort, asyncio.CancelledError):
            exit_interrupted()
        sys.exit(code if isinstance(code, int) else 0)


def _cancel_soon() -> Callable[[], object]:
    """Return a function that a signal handler may call, to cancel the current task."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # a running coroutine has a task
    return lambda: loop.call_soon_threadsafe(task.cancel)


def exit_interrupted() -> NoReturn:
    """Print that the command was interrupted and exit with 130."""
    click.echo("interrupted", err=True)
    sys.exit(INTERRUPTED)
