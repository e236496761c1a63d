"""The pytest plugin, in a separate pytest with different settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from importlib.metadata import entry_points

import pytest
from helpers.paths import ROOT
from helpers.schema_introspection import is_postgres, list_objects
from tortoise.exceptions import IntegrityError

import bytes_squads
from bytes_squads import BytesBalance, BytesOperations, BytesTransaction, SquadOperations
from bytes_squads.engine.connections import current_client
from bytes_squads.testing import Clock

Run = Callable[..., pytest.RunResult]
OPS = BytesOperations()

AUTO = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
STRICT = ("-o", "asyncio_mode=strict", "-o", "asyncio_default_fixture_loop_scope=function")
SESSION = tuple(
    part
    for what in ("fixture", "test")
    for part in ("-o", f"asyncio_default_{what}_loop_scope=session")
)

A_CLAIM = """
import pytest
from bytes_squads import BytesOperations, StorageUnavailableError

ops = BytesOperations()  # as a bot has them: made once, without a clock

async def first(bytes_squads_db, bytes_squads_clock):
    assert (await ops.claim_daily(1, 10)).balance == 110

async def second(bytes_squads_db):
    assert await ops.get_rank(1, 10) is None

async def third():
    with pytest.raises(StorageUnavailableError):
        await ops.get_balance(1, 10)
"""

A_LOOP_FOR_EACH_TEST = """
import asyncio
import claim

def test_first(bytes_squads_db, bytes_squads_clock):
    asyncio.run(claim.first(None, None))

def test_second(bytes_squads_db):
    asyncio.run(claim.second(None))

def test_third():
    asyncio.run(claim.third())
"""

WITH_A_MARK = """
import claim
import pytest

{mark}
class TestBot:
    async def test_first(self, bytes_squads_db, bytes_squads_clock):
        await claim.first(None, None)

    async def test_second(self, bytes_squads_db):
        await claim.second(None)

    async def test_third(self):
        await claim.third()
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest in a separate process on a test file; warnings are errors."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    # The package may be installed, with its plugin, or not.
    plugin = ("-p", "_bytes_squads_pytest", "-p", "no:bytes_squads", "-p", "no:cacheprovider")
    pytester.makepyfile(claim=A_CLAIM)

    def run_pytest(code: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(code)
        return pytester.runpytest_subprocess("-W", "error", *plugin, *options, timeout=120)

    return run_pytest


@pytest.mark.parametrize(
    ("code", "options"),
    [
        pytest.param(WITH_A_MARK.format(mark=""), AUTO, id="auto"),
        pytest.param(WITH_A_MARK.format(mark="@pytest.mark.asyncio"), STRICT, id="strict"),
        pytest.param(WITH_A_MARK.format(mark=""), (*AUTO, *SESSION), id="one loop for the session"),
        pytest.param(
            WITH_A_MARK.format(mark="@pytest.mark.asyncio(loop_scope='class')"),
            STRICT,
            id="a loop for the class",
        ),
        pytest.param(
            WITH_A_MARK.format(mark="@pytest.mark.anyio"), ("-p", "no:asyncio"), id="anyio"
        ),
        pytest.param(
            A_LOOP_FOR_EACH_TEST, ("-p", "no:asyncio"), id="without a plugin for coroutines"
        ),
    ],
)
def test_fixture_isolates_each_test(run: Run, code: str, options: tuple[str, ...]) -> None:
    """In either mode, in any event loop and without one: open, empty, and closed afterwards."""
    if "anyio" in code:
        pytest.importorskip("anyio")
        code += "\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"

    run(code, *options).assert_outcomes(passed=3)


def test_operations_left_behind_end_before_the_next_test(run: Run) -> None:
    """Operations that a test left running end before the next test."""
    code = """
        import asyncio
        import pytest
        from bytes_squads import BytesOperations

        ops = BytesOperations()

        @pytest.mark.parametrize("number", range(20))
        async def test_leaves(bytes_squads_db, number):
            assert await ops.get_rank(1, 10) is None
            left = [asyncio.create_task(ops.grant(1, 10, 5)) for _ in range(number)]
            await asyncio.sleep(0)
            for task in left[::2]:
                task.cancel()
    """
    run(code, *AUTO).assert_outcomes(passed=20)


def test_plugin_closes_a_database_that_a_test_opened(run: Run) -> None:
    """The driver's thread does not keep pytest from ending."""
    code = """
        import bytes_squads

        async def test_starts_the_bot(bytes_squads_db):
            await bytes_squads.init("sqlite://:memory:")
            await bytes_squads.upgrade()

        async def test_starts_and_stops_it(bytes_squads_db):
            await bytes_squads.init("sqlite://:memory:")
            await bytes_squads.close()
    """
    run(code, *AUTO).assert_outcomes(passed=2)


def test_nothing_is_imported_when_pytest_starts(run: Run, pytester: pytest.Pytester) -> None:
    """A conftest comes first: it sets DATABASE_URL, and a coverage tool sees every import."""
    pytester.makeconftest(
        """
        import os, sys

        assert [name for name in sys.modules if name.partition(".")[0] == "bytes_squads"] == []
        os.environ["DATABASE_URL"] = "sqlite://of_the_tests.db"
        """
    )
    code = """
        from bytes_squads import TORTOISE_ORM

        def test_url_is_that_of_the_conftest(bytes_squads_db):
            credentials = TORTOISE_ORM["connections"]["default"]["credentials"]
            assert credentials["file_path"] == "of_the_tests.db"
    """
    run(code, *STRICT).assert_outcomes(passed=1)


def test_plugin_is_loaded_by_the_name_of_the_package(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without autoloading, ``-p bytes_squads`` loads it, also twice."""
    if not entry_points(group="pytest11", name="bytes_squads"):
        pytest.skip("bytes_squads is not installed")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(A_LOOP_FOR_EACH_TEST, claim=A_CLAIM)
    for options in (("-p", "bytes_squads"), ("-p", "bytes_squads", "-p", "bytes_squads")):
        pytester.runpytest_subprocess(*options, timeout=120).assert_outcomes(passed=3)


def test_plugin_is_disabled_by_the_name_of_the_package(pytester: pytest.Pytester) -> None:
    """``-p no:bytes_squads`` leaves a test suite as it was without the package."""
    pytester.makepyfile(A_LOOP_FOR_EACH_TEST, claim=A_CLAIM)
    result = pytester.runpytest_subprocess("-p", "no:bytes_squads", timeout=120)
    result.assert_outcomes(passed=1, errors=2)


# The database -------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["sqlite"])
async def test_fixture_schema_is_that_of_the_migrations(
    migrated_url: str, bytes_squads_db: None
) -> None:
    """The copy has every table, check, index and trigger, and the history of the migrations."""
    assert not is_postgres(migrated_url)
    migrated = await list_objects(migrated_url)

    rows = await current_client().execute_query_dict("SELECT type, name, sql FROM sqlite_master")
    versions = await current_client().execute_query_dict("SELECT version FROM aerich ORDER BY id")

    assert sorted((tuple(row.values()) for row in rows), key=repr) == [
        tuple(row) for row in migrated["objects"]
    ]
    assert [row["version"] for row in versions] == migrated["history"]


async def test_fixture_database_enforces_the_rules(bytes_squads_db: None) -> None:
    """Checks, the ledger's trigger and foreign keys are in force."""
    row = await BytesOperations().grant(1, 10, 5)
    with pytest.raises(IntegrityError, match="ck_bytes_balances_balance"):
        await BytesBalance.all().update(balance=-1)
    with pytest.raises(IntegrityError, match="tr_bytes_transactions_final"):
        await BytesTransaction.filter(id=row.id).update(amount=6)
    ((enforced,),) = [
        tuple(row) for row in (await current_client().execute_query("PRAGMA foreign_keys"))[1]
    ]

    assert enforced == 1
    assert (await BytesOperations().verify()).ok


async def test_every_task_and_thread_of_the_test_finds_the_database(bytes_squads_db: None) -> None:
    """As after `init()`: it is not bound to the task or the loop that opened it."""
    ops = BytesOperations()
    balance = await asyncio.create_task(ops.get_balance(1, 10))
    elsewhere = await asyncio.to_thread(lambda: asyncio.run(ops.get_balance(1, 10)))

    assert (balance.balance, elsewhere.balance) == (100, 100)


async def test_upgrade_of_the_fixture_database_has_nothing_to_do(bytes_squads_db: None) -> None:
    """The history of the migrations is copied with them."""
    assert await bytes_squads.upgrade() == []


# The clock ----------------------------------------------------------------------------------------


async def test_operations_without_a_clock_follow_the_clock_of_the_test(
    bytes_squads_db: None, bytes_squads_clock: Clock
) -> None:
    """A streak of three days is three claims and two steps of the clock."""
    ops = BytesOperations()
    streaks = []
    for _ in range(3):
        claim = await ops.claim_daily(1, 10)
        streaks.append((claim.streak, claim.claimed_on))
        bytes_squads_clock.advance(days=1)

    assert streaks == [(day, date(2026, 3, 1 + day)) for day in (1, 2, 3)]


async def test_squads_follow_the_clock_of_the_test(
    bytes_squads_db: None, bytes_squads_clock: Clock
) -> None:
    """The time of joining is that of the clock."""
    squads = SquadOperations()
    squad = await squads.create_squad(
        bytes_squads.SquadCreate(guild_id=1, role_id=7, name="Owls", switch_cost=0)
    )
    membership = await squads.join_squad(1, 10, squad.id)

    assert membership.joined_at == bytes_squads_clock.now


async def test_operations_keep_their_own_clock(
    bytes_squads_db: None, bytes_squads_clock: Clock
) -> None:
    """Operations with a clock do not use the test's."""
    own = Clock(datetime(2020, 2, 29, tzinfo=UTC))
    claim = await BytesOperations(clock=own).claim_daily(1, 10)

    assert claim.claimed_on == date(2020, 2, 29)


async def test_without_the_fixture_the_clock_is_wall_time(bytes_squads_db: None) -> None:
    """The clock of one test is not set in the next."""
    before = datetime.now(UTC)
    row = await BytesOperations().grant(1, 10, 5)

    assert before <= row.created_at <= datetime.now(UTC)


async def test_operations_made_before_the_test_follow_its_clock(
    bytes_squads_db: None, bytes_squads_clock: Clock
) -> None:
    """Operations made at import use the clock of the test."""
    bytes_squads_clock.now = datetime(2031, 1, 1, tzinfo=UTC)

    assert (await OPS.grant(1, 10, 5)).created_at == bytes_squads_clock.now


async def test_updated_at_is_wall_time_not_the_test_clock(
    bytes_squads_db: None, bytes_squads_clock: Clock
) -> None:
    """updated_at is wall time, not the clock of the test."""
    before = datetime.now(UTC)
    member = await BytesOperations().get_balance(1, 10)

    assert before <= member.updated_at <= datetime.now(UTC)


def test_clock_shows_the_utc_date() -> None:
    """The date of a claim, whatever the zone of the time that was set."""
    clock = Clock(datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))))
    assert (clock.today, clock()) == (date(2025, 12, 31), clock.now)
