"""The hooks of the suite, in a separate pytest."""

from __future__ import annotations

import os

import pytest
from helpers.paths import ROOT
from helpers.pytest_hooks import find_missing

STARTS_A_PROCESS = """
    import subprocess, sys

    def test_starts():
        subprocess.run([sys.executable, "-c", ""])
"""
NEEDS_WHAT_IS_MISSING = """
    import pytest

    @pytest.mark.parametrize("number", range(3))
    def test_import(number):
        pytest.importorskip("no_such_library")

    def test_another_reason():
        pytest.skip("not on a Monday")
"""


def run(pytester: pytest.Pytester, code: str, *options: str) -> pytest.RunResult:
    """Run pytest with the hooks on a test file."""
    pytester.makepyfile(code)
    plugins = ("-p", "helpers.pytest_hooks", "-p", "no:cacheprovider")
    return pytester.runpytest_subprocess(*plugins, *options, timeout=120)


@pytest.fixture(autouse=True)
def helpers_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the other pytest import the helpers, and let it run without a PostgreSQL server."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), str(ROOT / "tests"))))
    monkeypatch.delenv("BYTES_SQUADS_REQUIRE_POSTGRES", raising=False)


def test_unlisted_test_that_starts_a_process_fails(pytester: pytest.Pytester) -> None:
    """The failure says where to list it, so that `make test-fast` leaves it out."""
    result = run(pytester, STARTS_A_PROCESS)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*PROCESS_TESTS in *pytest_hooks.py does not list it*"])


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "workers"])
def test_last_lines_count_what_was_not_run(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    """Tests that lack a library are counted by its name, and long ones; other skips are not."""
    if options:
        pytest.importorskip("xdist")
    pytester.makepyfile(test_chaos="def test_one(): pass\ndef test_two(): pass\n")
    result = run(pytester, NEEDS_WHAT_IS_MISSING, *options, "-m", "not long")

    result.assert_outcomes(skipped=4, deselected=0 if options else 2)
    result.stdout.fnmatch_lines(["2 long tests were left out. `make test-long` runs them."])
    result.stdout.fnmatch_lines(["!!! NOT RUN: 3 x without no_such_library. *"])


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("Skipped: could not import 'rich': No module named 'rich'", "rich"),
        ("discord.py is not installed", "discord.py"),
        ("Skipped: 'sqlalchemy[asyncio]' is not installed", "sqlalchemy[asyncio]"),
        ("without PostgreSQL", "PostgreSQL"),
        ("without Citus: it has no URL", "Citus"),
        ("there is no zsh", "zsh"),
        ("signals are POSIX's", None),
    ],
)
def test_reason_of_a_skip_names_what_is_missing(reason: str, expected: str | None) -> None:
    """The reasons that tests give are understood."""
    assert find_missing(reason) == expected
