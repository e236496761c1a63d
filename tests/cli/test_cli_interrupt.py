"""Ctrl-C at any moment of a command: exit code 130 and one line, no traceback."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.cli_runner import make_command_line, make_environment

import bytes_squads
from bytes_squads import _interrupt

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")

MOMENTS = 16
CONSOLE_SCRIPT = [
    sys.executable,
    "-c",
    "import sys\nsys.argv[0] = 'bytes-squads'\nfrom bytes_squads.cli import main\nmain()",
]
"""What the console script does; in this environment it may not be installed."""


def interrupted_after(seconds: float, words: list[str], folder: Path) -> tuple[int, str]:
    """Start the command, interrupt it, and return its exit code and stderr."""
    with subprocess.Popen(
        words,
        cwd=folder,
        env=make_environment(DATABASE_URL="sqlite://a.db"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def before_the_package(errors: str) -> bool:
    """Whether a traceback shows no line of the package after the one that sets the handler."""
    files = set(re.findall(r'bytes_squads[/\\](\w+(?:[/\\]\w+)*\.py)", line (\d+)', errors))
    first = {(file, line) for file, line in files if file == "__init__.py"}
    return (
        len(first) <= 1
        and {file for file, _ in files} <= {"__init__.py", "_interrupt.py"}
        and (not first or "import _interrupt" in errors)
    )


@on_posix
@pytest.mark.parametrize("words", [make_command_line(), CONSOLE_SCRIPT], ids=["module", "script"])
def test_upgrade_interrupted_at_any_moment_exits_with_130(words: list[str], tmp_path: Path) -> None:
    """From the first import to the end, the same one line; then the database can be upgraded.

    Before the package is imported at all, Python itself answers.
    """
    started = time.monotonic()
    arguments = [*words, "upgrade"]
    subprocess.run(
        arguments, cwd=tmp_path, env=make_environment(DATABASE_URL="sqlite://a.db"), check=True
    )
    seconds = time.monotonic() - started
    said: list[tuple[int, str]] = []
    for moment in range(MOMENTS):
        for file in tmp_path.iterdir():
            file.unlink()
        said.append(interrupted_after(seconds * moment / MOMENTS, arguments, tmp_path))
    ours = [(code, errors) for code, errors in said if code == _interrupt.INTERRUPTED]
    others = [(code, errors) for code, errors in said if code != _interrupt.INTERRUPTED]

    assert {errors for _, errors in ours} == {"interrupted\n"}
    assert len(ours) >= MOMENTS // 3
    assert [errors for _, errors in others if errors and not before_the_package(errors)] == []
    subprocess.run(
        arguments, cwd=tmp_path, env=make_environment(DATABASE_URL="sqlite://a.db"), check=True
    )


def test_importing_the_package_leaves_the_handler_of_another_program() -> None:
    """Importing the package does not change the handler of Ctrl-C."""
    program = (
        "import signal, bytes_squads\n"
        "print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    )
    process = subprocess.run(
        [sys.executable, "-c", program],
        env=make_environment(),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )

    assert process.stdout == "True\n"
    assert bytes_squads.__file__


def test_interrupt_cancels_and_a_second_one_exits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first Ctrl-C cancels the command, the second one exits."""
    exits: list[int] = []
    cancels: list[str] = []
    monkeypatch.setattr("os._exit", exits.append)
    monkeypatch.setattr("os.write", lambda *_: 0)
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, _interrupt.exit_at_once)
    try:
        with _interrupt.InterruptibleBlock(lambda: cancels.append("cancel")):
            signal.raise_signal(signal.SIGINT)
            assert (cancels, exits) == (["cancel"], [])
            signal.raise_signal(signal.SIGINT)
        after = signal.getsignal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)

    assert (cancels, exits) == (["cancel"], [_interrupt.INTERRUPTED])
    assert after is _interrupt.exit_at_once
