"""Handle Ctrl-C on the command line: print one line and exit with 130.

Python's default handler raises KeyboardInterrupt anywhere, which shows a traceback where nothing
catches it: during imports, in a callback, at exit. The package imports this module first. In
another program's process, such as a bot, it does nothing.
"""

from __future__ import annotations

# Import only loaded modules: an import before the handler is set could be interrupted.
import _signal as signal  # type: ignore[import-not-found]  # the C part of signal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn

INTERRUPTED = 130
"""The conventional exit code after Ctrl-C."""


def exit_at_once(_signal: int = signal.SIGINT, _frame: FrameType | None = None) -> NoReturn:
    """Print that the command was interrupted and end the process without cleanup.

    The database rolls back what was in progress.
    """
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


def handle_interrupts() -> None:
    """Let Ctrl-C end this process at once, unless another handler is set."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, exit_at_once)


class InterruptibleBlock:
    """A block that the first Ctrl-C cancels; the second ends the process.

    Args:
        cancel: Called by the first Ctrl-C, between any two instructions of the block.
    """

    def __init__(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel

    def __enter__(self) -> None:
        if signal.getsignal(signal.SIGINT) is exit_at_once:  # not in another program's process
            signal.signal(signal.SIGINT, self._on_first)

    def _on_first(self, _signal: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, exit_at_once)
        self._cancel()

    def __exit__(self, *_: object) -> None:
        if signal.getsignal(signal.SIGINT) == self._on_first:
            signal.signal(signal.SIGINT, exit_at_once)


def _is_command_line() -> bool:
    """Return whether this process was started as ``bytes-squads`` or ``-m bytes_squads``."""
    program = sys.argv[0] if sys.argv else ""
    if program == "-m":  # while Python searches the module
        return any(word.removeprefix("-m") == "bytes_squads" for word in sys.orig_argv)
    file = program.replace("\\", "/").rpartition("/")[2]
    return file.partition(".")[0] in {"bytes-squads", "bytes-squads-script"}


if _is_command_line():  # pragma: no cover  # in other processes, which the tests start
    handle_interrupts()
